#!/usr/bin/env bash
# What asks for older packages than ours and works with ours; the pins of requirements-no-deps.txt.
set -euo pipefail
python -m pip install --no-deps libfmp==1.3.0 synctoolbox==1.4.2
