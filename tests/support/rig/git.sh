#!/bin/sh
# A `git` that counts one point before and one after the real call, and kills the program that
# called it when the point is the wanted one. It starts no process but git itself.
rig=@RIG@
git=@GIT@

name=git
for word; do
    case $word in
    -* | *=* | */*) ;;
    *) name="git $word" && break ;;
    esac
done

# A point's number is the place of its own line, so that calls at the same time cannot share one.
point() {
    mine="$1	$$	$name"
    printf '%s\n' "$mine" >>"$rig/points"
    read -r wanted <"$rig/wanted"
    [ "$wanted" -gt 0 ] || return 0
    number=0
    while IFS= read -r line; do
        number=$((number + 1))
        [ "$line" != "$mine" ] || break
    done <"$rig/points"
    [ "$number" -ne "$wanted" ] || {
        kill -KILL "$PPID"
        exit 137
    }
}

point before
"$git" "$@"
code=$?
point after
exit "$code"
