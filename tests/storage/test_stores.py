"""Stores without a server of their own here: what can be shown with fsspec's memory, and what not.

Google's and Azure's stores cannot be had in a test. What is tested is that their
addresses lead to their libraries, and that a run works on any of fsspec's file
systems, with the one that keeps files in memory in their place.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import raypipe
from raypipe.errors import OutputBusy, StorageError, UsageError
from raypipe.storage import paths
from raypipe.storage.address import forget_stores, store_of
from raypipe.storage.bucket_hold import BucketHold
from raypipe.storage.store import Store
from tests.end_to_end.test_buckets import inputs, tree, write
from tests.stores import S3


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address whose store knows nothing of S3."""
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setitem(paths.PACKAGES, "memory", "fsspec")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    forget_stores()
    yield "memory://bucket"
    MemoryFileSystem.store.clear()
    forget_stores()


def test_a_run_over_any_of_fsspecs_file_systems(memory: str, tmp_path: Path) -> None:
    store = store_of(memory)
    for name, data in inputs(6).items():
        store.put(f"{memory}/in/{name}", data)
    given = {"model": "recurrent", "executor": "inline", "segment_s": 0.5}
    report = raypipe.enhance(f"{memory}/in", f"{memory}/out", **given)
    assert report.totals.done == 6
    raypipe.enhance(write(tmp_path / "in", inputs(6)), tmp_path / "out", **given)
    made = {f.address[len(memory) + 5 :]: store.read_all(f.address)
            for f in store.walk(f"{memory}/out") if ".raypipe" not in f.address}  # fmt: skip
    assert made == tree(tmp_path / "out")
    assert raypipe.enhance(f"{memory}/in", f"{memory}/out", **given).totals.skipped == 6
    assert store.stat(f"{memory}/out/.raypipe/lease.json") is None


def test_a_lease_in_any_of_fsspecs_file_systems(memory: str) -> None:
    with (
        BucketHold(f"{memory}/out") as place,
        pytest.raises(OutputBusy, match="another run is writing here"),
    ):
        assert place.still_ours()
        BucketHold(f"{memory}/out").__enter__()


def test_objects_in_any_of_fsspecs_file_systems(memory: str, tmp_path: Path) -> None:
    store = store_of(memory)
    assert type(store) is Store
    (tmp_path / "a").write_bytes(b"0123456789")
    found = store.upload(str(tmp_path / "a"), f"{memory}/x/a", threading.Event())
    assert (found.address, found.size) == (f"{memory}/x/a", 10)
    assert store.read(found, 2, 5) == b"234"
    assert store.open(f"{memory}/x/a", 4)[0] == b"0123"
    assert [f.address for f in store.walk(f"{memory}/x")] == [f"{memory}/x/a"]
    assert list(store.walk(f"{memory}/none")) == []
    assert store.stat(f"{memory}/x") is None
    with pytest.raises(FileExistsError):
        store.put(f"{memory}/x/a", b"", new=True)
    with pytest.raises(FileNotFoundError):
        store.open(f"{memory}/x/b", 4)
    store.remove([f"{memory}/x/a", f"{memory}/x/gone"])
    assert store.stat(f"{memory}/x/a") is None


@pytest.mark.parametrize(
    ("address", "package", "kind"),
    [
        ("s3://bucket/a", "s3fs", "S3FileSystem"),
        ("https://host/a", "aiohttp", "HTTPFileSystem"),
        ("az://container/a", "adlfs", "AzureBlobFileSystem"),
        ("abfss://container@account.dfs.core.windows.net/a", "adlfs", "AzureBlobFileSystem"),
    ],
)
def test_addresses_lead_to_their_libraries(
    address: str, package: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    forget_stores()
    assert type(store_of(address).fs).__name__ == kind
    forget_stores()


def test_google_addresses_lead_to_gcsfs(monkeypatch: pytest.MonkeyPatch) -> None:
    gcsfs = pytest.importorskip("gcsfs")
    monkeypatch.setattr(
        gcsfs.credentials.GoogleCredentials, "connect", lambda *given, **named: None
    )
    forget_stores()
    assert "GCSFileSystem" in {cls.__name__ for cls in type(store_of("gs://bucket/a").fs).__mro__}
    forget_stores()


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_a_missing_package_is_named_with_the_way_to_get_it(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.setitem(sys.modules, package, None)
    for name in (scheme, "gcs", "abfs", "s3a"):
        monkeypatch.delitem(registry._registry, name, raising=False)
    forget_stores()
    with pytest.raises(UsageError, match=rf"need the package {package}: pip install 'raypipe\[cl"):
        store_of(f"{scheme}://bucket/a")
    forget_stores()


def test_an_azure_account_that_nobody_has_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adlfs")
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    forget_stores()
    with pytest.raises(
        StorageError, match="az://container/a: cannot be reached: no account or credentials"
    ):
        store_of("az://container/a")
    forget_stores()


def test_fsspecs_own_configuration_counts(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.config import conf

    address = s3.put("a", b"x")
    given = {
        "endpoint_url": s3.environment["AWS_ENDPOINT_URL"],
        "key": "k",
        "secret": "s",
        "config_kwargs": {"connect_timeout": 3},
    }
    for name in s3.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(conf, "s3", given)
    forget_stores()
    store = store_of(address)
    assert store.read_all(address) == b"x"
    assert store.fs.config_kwargs["connect_timeout"] == 3
    assert store.fs.config_kwargs["retries"]["total_max_attempts"] == 1
