#!/bin/sh
# Starts `dpa_serve` on all addresses of the container; never without a token, since others may reach it.
if [ -z "${DPA_SERVE_TOKEN:-}" ]; then
    echo "serve.sh: there is no token. Start the container with -e DPA_SERVE_TOKEN, a long random text." >&2
    exit 1
fi
exec dpa_serve --host 0.0.0.0 --port 8000 "$@"
