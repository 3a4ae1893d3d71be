#!/usr/bin/env bash
# A Ray cluster of one machine, with token authentication, to try jobs on.
#
#   start    jobs/clusters/laptop.sh
#   use      raypipe submit --address http://127.0.0.1:8265 -- enhance "$PWD/noisy" "$PWD/cleaned"
#   look     http://127.0.0.1:8265 in a browser; it asks for what `ray get-auth-token` prints
#   stop     ray stop
#
# It needs raypipe installed where this shell finds `ray`. Arguments go to `ray start`:
# jobs/clusters/laptop.sh --num-cpus 4
set -euo pipefail

# The token is made once and kept in ~/.ray/auth_token, where raypipe and Ray find it.
ray get-auth-token --generate >/dev/null

# Nobody else on the network may reach the dashboard: who can submit a job can run anything.
export RAY_AUTH_MODE=token
exec ray start --head --dashboard-host=127.0.0.1 --dashboard-port=8265 --disable-usage-stats "$@"
