#!/usr/bin/env bash
# A promotion in plain git, the yardstick of `make bench`.
#
#   raw_promote.sh URL BEFORE STAGE APP SUITE
#
# Reads policy, holds and both stages' directories from the tip of `main`, puts the release tree of
# APP in BEFORE into STAGE with a passport that has one more line of evidence, and pushes that as
# one commit on `promote/STAGE/APP/<release id>`, which must not exist. There is no work tree.
# Ends with 4 where a hold names APP, with 3 where the branch is there already.
set -euo pipefail

url=$1 before=$2 stage=$3 app=$4 suite=$5
readonly url before stage app suite
readonly from=environments/$before/$app to=environments/$stage/$app
readonly tip=refs/remotes/origin/main ours=refs/remotes/origin/promote

GIT_DIR=$(mktemp -d)
trap 'rm -rf "$GIT_DIR"' EXIT
# a missing object is an error, never one more round trip
export GIT_DIR GIT_NO_LAZY_FETCH=1 LC_ALL=C
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0

start_repository() {
    git init --quiet --bare --template= --end-of-options "$GIT_DIR"
    cat >>"$GIT_DIR/config" <<-CONFIG
		[remote "origin"]
			url = $url
			promisor = true
		[fetch]
			negotiationAlgorithm = noop
		[gc]
			auto = 0
	CONFIG
}

# The tip and, in the same request, our own branches of this application and stage.
fetch_tip() {
    git fetch --quiet --no-tags --depth=1 --filter="$1" --end-of-options origin \
        "+refs/heads/main:$tip" "+refs/heads/promote/$stage/$app/*:$ours/*"
}

# Objects by their ids, with exactly what the filter lets through below them.
fetch_objects() {
    local filter=$1
    shift
    [ $# -eq 0 ] || git fetch --quiet --no-tags --no-write-fetch-head "$filter" \
        --end-of-options origin "$@"
}

# The ids of the paths that are there.
ids() { git ls-tree --format='%(objectname)' --end-of-options "$tip" "$@"; }

# The upper trees: in one request, or level by level from a server that refuses `tree:2`.
fetch_upper_trees() {
    fetch_tip tree:2 2>"$GIT_DIR/refused" && return
    fetch_tip tree:0
    fetch_objects --filter=tree:0 "$(git log -1 --format=%T --end-of-options "$tip" --)"
    mapfile -t trees < <(ids environments holds)
    fetch_objects --filter=tree:0 "${trees[@]}"
}

read_passport() { git cat-file blob --end-of-options "$tip:$from/release.yaml"; }

refuse_holds() {
    local hold
    for hold in "${holds[@]}"; do
        if git cat-file blob --end-of-options "$hold" | grep -qx "app: $app"; then
            echo "held" >&2
            exit 4
        fi
    done
}

# The passport of the stage before with one more line of evidence.
next_passport() {
    sed 's/^evidence: \[\]$/evidence:/' <<<"$passport"
    echo "  - {stage: $before, suite: $suite, result: passed, by: claimed}"
}

commit_stream() {
    cat <<-STREAM
		commit refs/heads/$branch
		committer gitops-ci <gitops-ci@noreply.invalid> $when +0000
		data <<MESSAGE
		Promote $release to $stage

		Gitops-Release: $release
		Gitops-Stage: $stage
		MESSAGE
		from $tip^0
		M 040000 $tree $to/release
		M 100644 inline $to/release.yaml
		data <<PASSPORT
		$(next_passport)
		PASSPORT

	STREAM
}

start_repository
fetch_upper_trees
mapfile -t holds < <(ids holds/)
mapfile -t wanted < <(ids gitops-ci.yaml "environments/$before" "environments/$stage")
fetch_objects --filter=tree:0 "${wanted[@]}" "${holds[@]}"
mapfile -t wanted < <(ids "$from" "$to")
fetch_objects --no-filter "${wanted[@]}"

git cat-file blob --end-of-options "$tip:gitops-ci.yaml" | grep -q "name: $stage"
refuse_holds
passport=$(read_passport)
tree=$(ids "$from/release")
grep -qx "tree: $tree" <<<"$passport"
release=$(sed -n 's/^id: //p' <<<"$passport")
branch=promote/$stage/$app/$release
if git rev-parse --verify --quiet --end-of-options "$ours/$release" >"$GIT_DIR/found"; then
    echo "the branch is there already" >&2
    exit 3
fi

when=$(git log -1 --format=%ct --end-of-options "$tip" --)
commit_stream | git fast-import --quiet
git push --quiet --porcelain --force-with-lease="refs/heads/$branch:" --end-of-options \
    origin "refs/heads/$branch"
