"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const MINUS = "\u2212";

  // The table of files.

  const PIECE = 100; // rows that are drawn at a time
  const OUTCOMES = ["done", "skipped", "failed"];
  const told = JSON.parse(byId("data").textContent);
  const columns = told.columns;

  const names = new Array(told.count);
  for (let row = 0, before = ""; row < told.count; row += 1) {
    before = names[row] = before.slice(0, columns.shared[row]) + columns.rest[row];
  }

  const clock = (seconds) => {
    const tenths = Math.round(seconds * (seconds < 60 ? 100 : 1)) / (seconds < 60 ? 100 : 1);
    if (seconds < 60) return tenths.toFixed(seconds < 10 ? 2 : 1) + " s";
    const hours = Math.floor(tenths / 3600);
    const minutes = Math.floor(tenths / 60) % 60;
    const rest = String(tenths % 60).padStart(2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };
  const plain = (digits) => (value) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", MINUS);
  const signed = (value) => (value > 0 ? "+" : "") + plain(1)(value);

  const COLUMNS = [
    { label: "File", text: true, head: true, value: (row) => row, show: (row) => names[row] },
    { label: "Outcome", text: true, value: (row) => columns.outcome[row], show: (row) => OUTCOMES[columns.outcome[row]] },
    { label: "Length", key: "seconds", form: clock },
    { label: "Format", text: true, value: (row) => told.kinds[columns.kind[row]] || null, show: (row) => told.kinds[columns.kind[row]].replace(/ (k?Hz)/, "\u00a0$1") },
    { label: "Gain dB", key: "gain_db", form: signed, about: "How much higher loudness stands above the noise floor than before" },
    { label: "LUFS before", key: "lufs_in", form: plain(1) },
    { label: "LUFS after", key: "lufs_out", form: plain(1) },
    { label: "Floor before", key: "floor_in_db", form: plain(1), about: "Noise floor before, dB, K-weighted" },
    { label: "Floor after", key: "floor_out_db", form: plain(1), about: "Noise floor after, dB, K-weighted" },
    { label: "Peak before", key: "peak_in_db", form: plain(1), about: "Peak before, dBFS" },
    { label: "Peak after", key: "peak_out_db", form: plain(1), about: "Peak after, dBFS" },
    { label: "Clipped", key: "clipped", form: (value) => (value ? String(value) : ""), about: "Samples held at full scale" },
    { label: "Speed ×", about: "Seconds of sound in a second of a worker's time", key: "x_real_time", form: plain(0) },
  ];
  for (const column of COLUMNS) {
    if (!column.key) continue;
    const values = columns[column.key];
    column.value = (row) => values[row];
    column.show = (row) => (values[row] === null ? "–" : column.form(values[row]));
  }

  const body = byId("rows").tBodies[0];
  const find = byId("find");
  const outcome = byId("outcome");
  const more = byId("more");
  let order = [];
  let drawn = 0;
  let sorted = { column: COLUMNS[0], down: false };
  let hay = null;

  const draw = () => {
    const piece = document.createDocumentFragment();
    const stop = Math.min(order.length, drawn + PIECE);
    for (; drawn < stop; drawn += 1) {
      const row = order[drawn];
      const line = make("tr");
      for (const column of COLUMNS) {
        const cell = make(column.head ? "th" : "td", column.show(row));
        if (column.head) cell.scope = "row";
        if (column.text) cell.className = column.head ? "name" : column.label === "Format" ? "text kind" : "text";
        if (column.head && columns.text[row]) cell.append(make("span", told.texts[columns.text[row]], "why"));
        line.append(cell);
      }
      line.cells[1].classList.add("is-" + OUTCOMES[columns.outcome[row]]);
      piece.append(line);
    }
    body.append(piece);
    const left = order.length - drawn;
    more.hidden = !left;
    more.textContent = `Show ${Math.min(PIECE, left)} more of ${left.toLocaleString("en")}`;
    const whole = drawn === told.count;
    byId("printed").textContent = whole ? "" : `${drawn.toLocaleString("en")} of ${told.count.toLocaleString("en")} files.`;
  };

  const compare = (a, b) => (typeof a === "string" ? (a < b ? -1 : a > b ? 1 : 0) : a - b);

  const update = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !hay) {
      hay = names.map((name, row) => [name, told.kinds[columns.kind[row]], told.texts[columns.text[row]]].join("\n").toLowerCase());
    }
    order = [];
    for (let row = 0; row < told.count; row += 1) {
      if (outcome.value && columns.outcome[row] !== Number(outcome.value)) continue;
      if (words.length && !words.every((word) => hay[row].includes(word))) continue;
      order.push(row);
    }
    const { column, down } = sorted;
    if (column !== COLUMNS[0] || down) {
      order.sort((a, b) => {
        const one = column.value(a);
        const other = column.value(b);
        if (one === null || other === null) return (one === null) - (other === null) || a - b;
        return (down ? -compare(one, other) : compare(one, other)) || a - b;
      });
    }
    const all = `${told.count.toLocaleString("en")} ${told.count === 1 ? "file" : "files"}`;
    byId("count").textContent = order.length === told.count ? all : `${order.length.toLocaleString("en")} of ${all}`;
    body.replaceChildren();
    drawn = 0;
    draw();
  };

  const heads = byId("rows").tHead.rows[0];
  for (const column of COLUMNS) {
    const cell = make("th", undefined, column.head ? "name" : column.text ? "text" : "");
    cell.scope = "col";
    cell.setAttribute("aria-sort", column === sorted.column ? "ascending" : "none");
    const button = make("button", column.label);
    button.type = "button";
    if (column.about) {
      button.title = column.about;
      button.setAttribute("aria-label", `${column.label}: ${column.about}`);
    }
    button.addEventListener("click", () => {
      // Figures are most often wanted from the largest down.
      sorted = { column, down: sorted.column === column ? !sorted.down : !column.text };
      for (const head of heads.cells) head.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      update();
    });
    cell.append(button);
    heads.append(cell);
  }
  let waiting = 0;
  find.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 120);
  });
  find.form.addEventListener("submit", (event) => event.preventDefault());
  outcome.addEventListener("change", update);
  more.addEventListener("click", draw);
  byId("table").hidden = false;
  update();

  // The players: both sounds run side by side, and a switch says which of them is heard.

  const FADE_S = 0.008; // so that no sound begins or ends with a click
  let context = null;
  let speaking = null; // the player that is heard

  const bytesOf = (address) => Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (sign) => sign.charCodeAt(0));

  class Player {
    constructor(card) {
      this.card = card;
      this.box = card.querySelector(".player");
      this.audios = [...card.querySelectorAll("audio")];
      this.seconds = Number(card.dataset.seconds);
      this.begin = Number(card.dataset.start);
      this.button = this.box.querySelector(".play");
      this.seek = this.box.querySelector(".seek");
      this.time = this.box.querySelector(".time");
      this.radios = [...this.box.querySelectorAll("[role=radio]")];
      this.side = this.radios.find((radio) => radio.getAttribute("aria-checked") === "true").dataset.side;
      this.at = 0; // seconds from the excerpt's beginning, while it stands still
      this.wanted = false; // from the press of the button on, which may be before it can play
      this.voices = null; // while it plays: a source and a gain for each side
      this.buffers = null;
      this.frame = 0;
      this.box.hidden = false;
      for (const audio of this.audios) audio.hidden = true;
      this.button.addEventListener("click", () => (this.wanted ? this.pause() : this.play()));
      this.seek.addEventListener("input", () => this.go((Number(this.seek.value) / 1000) * this.seconds));
      for (const radio of this.radios) {
        radio.addEventListener("click", () => this.hear(radio.dataset.side));
        radio.addEventListener("keydown", (event) => {
          if (!event.key.startsWith("Arrow")) return;
          event.preventDefault();
          const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : this.radios.length - 1;
          const next = this.radios[(this.radios.indexOf(radio) + step) % this.radios.length];
          this.hear(next.dataset.side);
          next.focus();
        });
      }
      for (const area of card.querySelectorAll(".area")) {
        area.addEventListener("click", (event) => {
          const box = area.getBoundingClientRect();
          this.go(((event.clientX - box.left) / box.width) * this.seconds);
        });
      }
      this.cursors = [...card.querySelectorAll(".cursor")];
      this.hear(this.side);
      this.draw();
    }

    async load() {
      context = context || new AudioContext();
      const sides = {};
      for (const audio of this.audios) {
        const bytes = bytesOf(audio.getAttribute("src"));
        sides[audio.dataset.side] = await context.decodeAudioData(bytes.buffer);
      }
      return sides;
    }

    async play() {
      if (speaking && speaking !== this) speaking.pause();
      speaking = this;
      this.wanted = true;
      let sides;
      try {
        this.buffers = this.buffers || this.load();
        sides = await this.buffers;
        await context.resume();
      } catch (error) {
        // This browser decodes for its own players only: they take over.
        this.pause();
        this.box.hidden = true;
        for (const audio of this.audios) audio.hidden = false;
        return;
      }
      if (!this.wanted || this.voices) return;
      if (this.at >= this.seconds - 0.01) this.at = 0;
      this.started = context.currentTime + 0.02;
      this.voices = {};
      for (const [side, buffer] of Object.entries(sides)) {
        const source = context.createBufferSource();
        const gain = context.createGain();
        source.buffer = buffer;
        gain.gain.value = 0;
        if (side === this.side) gain.gain.setTargetAtTime(1, this.started, FADE_S);
        source.connect(gain).connect(context.destination);
        source.start(this.started, this.at);
        this.voices[side] = { source, gain };
      }
      this.card.classList.add("playing", "started");
      this.button.setAttribute("aria-label", "Pause");
      this.draw();
    }

    pause() {
      this.at = this.position();
      for (const voice of Object.values(this.voices || {})) {
        voice.gain.gain.setTargetAtTime(0, context.currentTime, FADE_S);
        voice.source.stop(context.currentTime + 5 * FADE_S);
      }
      this.wanted = false;
      this.voices = null;
      if (speaking === this) speaking = null;
      this.card.classList.remove("playing");
      this.button.setAttribute("aria-label", "Play");
      this.draw();
    }

    position() {
      if (!this.voices) return this.at;
      return Math.min(this.seconds, this.at + Math.max(0, context.currentTime - this.started));
    }

    go(seconds) {
      const playing = this.wanted;
      if (playing) this.pause();
      this.at = Math.min(Math.max(0, seconds), this.seconds);
      this.card.classList.add("started");
      this.draw();
      if (playing) this.play();
    }

    hear(side) {
      this.side = side;
      for (const radio of this.radios) {
        const chosen = radio.dataset.side === side;
        radio.setAttribute("aria-checked", String(chosen));
        radio.tabIndex = chosen ? 0 : -1;
      }
      for (const figure of this.card.querySelectorAll(".pair figure")) {
        figure.classList.toggle("heard", this.radios.length > 1 && figure.dataset.side === side);
      }
      if (!this.voices) return;
      for (const [each, voice] of Object.entries(this.voices)) {
        voice.gain.gain.setTargetAtTime(each === side ? 1 : 0, context.currentTime, FADE_S);
      }
    }

    draw() {
      const at = this.position();
      const part = this.seconds ? at / this.seconds : 0;
      for (const cursor of this.cursors) cursor.style.left = `${100 * part}%`;
      this.seek.value = String(Math.round(1000 * part));
      const whole = Math.round(10 * (this.begin + at)) / 10;
      const hours = Math.floor(whole / 3600);
      const minutes = Math.floor(whole / 60) % 60;
      const rest = (whole - 3600 * hours - 60 * minutes).toFixed(1).padStart(4, "0");
      this.time.textContent = hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
      this.seek.setAttribute("aria-valuetext", this.time.textContent);
      if (!this.voices) return;
      if (at >= this.seconds) {
        this.pause();
        this.at = 0;
        this.draw();
      } else {
        cancelAnimationFrame(this.frame); // of before a jump
        this.frame = requestAnimationFrame(() => this.draw());
      }
    }
  }

  const players = [...document.querySelectorAll(".card")].filter((card) => card.querySelector(".player")).map((card) => new Player(card));

  if (players.some((player) => player.radios.length > 1)) byId("key").hidden = false;
  document.addEventListener("keydown", (event) => {
    // b: the other sound of the file whose card has the focus, or else of the one that plays.
    if (event.key.toLowerCase() !== "b" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("#table")) return;
    const card = event.target.closest(".card");
    const player = players.find((each) => each.card === card) || speaking;
    if (!player || player.radios.length < 2) return;
    player.hear(player.radios.find((radio) => radio.dataset.side !== player.side).dataset.side);
  });
})();
