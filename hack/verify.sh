#!/usr/bin/env bash
# Checks everything that needs no test run: format, words, vet, lint, import rules, generated
# code and documents, modules, known vulnerabilities. All checks run and print their names.
# The exit code is 1 if one fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

modules=$(git ls-files 'go.mod' '*/go.mod' | xargs -n1 dirname)
failed=()

check() {
    local name=$1
    shift
    local begin=$SECONDS
    if "$@"; then
        printf 'ok    %-16s %3ds\n' "$name" $((SECONDS - begin))
    else
        printf 'FAIL  %-16s %3ds\n' "$name" $((SECONDS - begin))
        failed+=("$name")
    fi
}

formatted() {
    local files
    files=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
    [ -z "$files" ] || { echo "not formatted, run gofmt -w on: $files"; return 1; }
}

vetted() {
    local module
    for module in $modules; do
        case $module in hack/kubernetes | hack/tools | hack/lint | hack/image | hack/e2e | hack/traefik) continue ;; esac
        go -C "$module" vet ./... || return 1
    done
}

linted() {
    local tool
    tool=$(mktemp -d)/golangci-lint
    go -C hack/lint build -o "$tool" github.com/golangci/golangci-lint/v2/cmd/golangci-lint || return 1
    "$tool" run --allow-parallel-runners ./... &&
        (cd test && "$tool" run --allow-parallel-runners --config ../.golangci.yml ./...) &&
        (cd test/traefik && "$tool" run --allow-parallel-runners --config ../../.golangci.yml ./...)
    local result=$?
    rm -rf "$(dirname "$tool")"
    return $result
}

# The check is skipped where the vulnerability database is not reachable.
vulnerable() {
    local output
    if output=$(go -C hack/lint tool govulncheck -C "$PWD" ./... 2>&1); then
        return 0
    fi
    case $output in
    *"no such host"* | *"dial tcp"* | *"connection refused"* | *"i/o timeout"* | *"403 Forbidden"*)
        echo "left out: the vulnerability database cannot be reached from here"
        return 0
        ;;
    esac
    echo "$output"
    return 1
}

tidy() {
    local module
    for module in $modules; do
        go -C "$module" mod tidy -diff || { echo "run go mod tidy in $module"; return 1; }
    done
}

# Words that this project once used with its own meaning. Use the usual term.
worded() {
    local found
    if found=$(git grep -nwiE 'anew|astray|audience|census|complain|fenced?|judge[sd]?|unfenced|patience|tells whether|told|tried again by itself|verdict|whoever' -- \
        '*.go' '*.md' '*.yaml' '*.tpl' ':!pkg/generated' ':!**/testdata'); then
        echo "$found"
        return 1
    fi
}

# A pipe whose reader ends before its writer: under pipefail the writer then sometimes ends with
# SIGPIPE, which fails the script at random.
piped() {
    local found
    if found=$(git grep -nE '\|[[:space:]]*(head|grep[[:space:]]+-[a-zA-Z]*[qm]|sed[[:space:]].*[0-9]q)' -- \
        '*.sh' Makefile .ci/run ':!hack/verify.sh'); then
        echo "$found"
        echo "read all of the output first, and take the part from a variable"
        return 1
    fi
}

check format formatted
check pipes piped
check words worded
check vet vetted
check lint linted
check codegen hack/verify-codegen.sh
check documents go test -count=1 -run Documentation ./pkg/metrics ./cmd/...
check modules tidy
check vulnerabilities vulnerable

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
