# Virtual environments for the scripts beside this file, which source it with $root set to the clone.
#
# `need .venv -e '.[test]'` installs that into $root/.venv, unless a stamp says that it is done. The
# stamp holds what the installation depends on; it is written last, and found again in a few ms.

say() { printf 'chatd: %s\n' "$*" >&2; }

# Print the real path of the first suitable Python: a link may lead to another version tomorrow.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        "$name" - <<'PYTHON' 2>/dev/null && return
import ensurepip, os, sys, venv
if sys.version_info < (3, 11):
    sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
PYTHON
    done
    say "Python 3.11 or newer with its venv module is needed (on Debian: python3 and" \
        "python3-venv); none of python3, python3.13, python3.12 and python3.11 is one."
    return 1
}

state() {
    local files=("$venv/pyvenv.cfg")
    [[ $wanted != -e* ]] || files+=("$root/setup.cfg" "$root/pyproject.toml")
    printf '%s\n' "$wanted"
    cksum "${files[@]}"
}

is_ready() {
    local other
    [[ -x $venv/bin/python ]] || return
    for other in "$stamp" "$venv"/.installed-e*; do
        [[ ! -f $other ]] || ! covers "$(<"$other")" || return 0
    done
    return 1
}

# Whether a stamp says that what is wanted is there: chatd with more extras is chatd with these.
covers() {
    local found=${1%%$'\n'*} extra extras=${wanted#-e .}
    [[ ${1#*$'\n'} == "$(state | tail -n +2)" ]] || return
    [[ $found != "$wanted" ]] || return 0
    [[ $wanted == -e* && $found == -e* ]] || return
    extras=${extras//[\[\]]/}
    for extra in ${extras//,/ }; do
        [[ ,${found//[\[\]]/,}, == *",$extra,"* ]] || return
    done
}

# .clone names the clone that an environment was made for, and is empty while pip runs in it: after
# an interruption or a move we start again. An environment without the file was made by hand: keep it.
is_stale() { [[ ! -x $venv/bin/python || (-f $venv/.clone && $(<"$venv/.clone") != "$root") ]]; }

install() {
    local python
    say "installing into ${venv##*/}, once; this takes about a minute ..."
    if is_stale; then
        python=$(find_python) || return
        rm -rf -- "$venv" && mkdir -- "$venv" && : >"$venv/.clone" || return
        "$python" -m venv "$venv" || return
    fi
    : >"$venv/.clone"
    if ! (cd "$root" && "$venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check "$@"); then
        say "the installation failed; what pip said is above."
        return 1
    fi
    printf '%s\n' "$root" >"$venv/.clone"
    state >"$stamp"
}

need() {
    local venv=$root/$1 wanted=${*:2} stamp
    stamp=$venv/.installed-${wanted//[!a-z]/}
    is_ready && return
    (
        # Of two starts at the same time the second waits here, and then finds the work done.
        ! command -v flock >/dev/null || flock 9
        is_ready || install "${@:2}"
    ) 9>>"$venv.lock"
}
