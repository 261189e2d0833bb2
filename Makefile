# Everything that a developer or CI does. `make help` lists it.

SHELL := bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .cache/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# A KUBECONFIG of the environment is not meant: only one that is given here.
RUN_FLAGS := $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig=$(abspath $(KUBECONFIG)))

# KUBERNETES holds the real control plane's binaries, built where missing.
KUBERNETES = $$(go -C hack/kubernetes run .)

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 18

.PHONY: build
build: ## build the controller into .cache/bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/external-workload-controller ./cmd/external-workload-controller

.PHONY: run
run: ## start a control plane on loopback and show the controller at work; KUBECONFIG=file uses your cluster
	@go -C test build -o ../$(BIN)/run ./run
	@$(BIN)/run $(RUN_FLAGS) $(ARGS)

.PHONY: kubernetes
kubernetes: ## build the control plane that run and test use
	@go -C hack/kubernetes run .

.PHONY: test
test: test-unit test-integration ## run everything that proves it

.PHONY: test-unit
test-unit: ## run the tests that need nothing but Go
	go test -race ./...
	KUBE_CACHE_MUTATION_DETECTOR=true go test ./controller/...
	go -C hack/kubernetes test .

.PHONY: test-integration
test-integration: ## run the tests against the real API server
	@KUBEBUILDER_ASSETS=$(KUBERNETES); export KUBEBUILDER_ASSETS; \
	set -x; go -C test test -p 1 -timeout 40m ./...

.PHONY: verify
verify: ## check format, lint, imports, generated code and documents
	hack/verify.sh

.PHONY: generate
generate: ## make all generated code and documents
	hack/update-codegen.sh
	go test ./pkg/metrics ./cmd/external-workload-controller -run Documentation -update

.PHONY: clean
clean: ## remove what was built in this tree
	rm -rf .cache
