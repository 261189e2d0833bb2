# Everything that a developer or CI does. `make help` lists it.

SHELL := bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .cache/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# The flags of a release; .ko.yaml has the same for the image. The program has no templates,
# so that the linker can drop unused methods.
BUILD_FLAGS := -trimpath

# Only a KUBECONFIG on make's command line counts, not one in the environment.
RUN_FLAGS := $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig=$(abspath $(KUBECONFIG)))

# Builds the control plane's binaries if they are missing, before a test's timeout starts.
WITH_KUBERNETES = export KUBEBUILDER_ASSETS=$$(go -C hack/kubernetes run . $(VERSION_FLAG));

# KUBERNETES=1.33 selects another version than the pinned one. It takes precedence over
# KUBEBUILDER_ASSETS.
VERSION_FLAG = $(if $(KUBERNETES),-version $(KUBERNETES))

# Go does not see which binaries a test starts, so it would reuse the cached result of another
# version of Kubernetes: -count=1 disables the cache.

# The packages of the test module for test-integration.
INTEGRATION := ./internal/... ./run ./bench ./e2e ./integration ./hostile ./machine ./matrix

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 18

.PHONY: build
build: ## build the controller and the kubectl plugin into .cache/bin
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -ldflags '$(LDFLAGS)' -o $(BIN)/external-workload-controller ./cmd/external-workload-controller
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -ldflags '-s -w -X main.release=$(VERSION) -X main.commit=$(COMMIT)' -o $(BIN)/kubectl-external_workload ./cmd/kubectl-external_workload

.PHONY: plugin
plugin: ## pack the kubectl plugin for every platform, with its krew manifest, into dist
	hack/plugin.sh $(VERSION) $(COMMIT)

.PHONY: run
run: ## start a control plane on loopback and show the controller at work; KUBECONFIG=file uses another cluster
	@go -C test build -o ../$(BIN)/run ./run
	@$(BIN)/run $(RUN_FLAGS) $(ARGS)

.PHONY: kubernetes
kubernetes: ## build the control plane for run and test: make kubernetes KUBERNETES=1.33
	@go -C hack/kubernetes run . $(VERSION_FLAG)

.PHONY: test
test: test-unit test-kubelet test-kubeproxy test-validation test-chart test-integration test-faults ## run all tests but e2e, soak and Traefik; KUBERNETES=1.33 selects a version

.PHONY: matrix
matrix: ## run the integration and chart tests with every version, or KUBERNETES=1.33,1.31, and write docs/versions.md
	env -u KUBERNETES go -C test run ./matrix $(if $(KUBERNETES),-versions $(KUBERNETES))

.PHONY: test-unit
test-unit: ## run the tests that need only Go
	go test -race ./...
	KUBE_CACHE_MUTATION_DETECTOR=true go test ./controller/...
	go test ./internal/plantest -run 'TestRandomHistories|TestMutants' -plan.steps=1000000 -plan.mutants
	go -C hack/kubernetes test .

.PHONY: test-kubelet
test-kubelet: ## compare our probes with kubelet's
	go -C test/kubelet test ./...

.PHONY: test-kubeproxy
test-kubeproxy: ## play random histories with kube-proxy's own code
	go -C test/kubeproxy test ./...

.PHONY: test-validation
test-validation: ## check writes with Kubernetes' own validation
	go -C test/validation test ./...

.PHONY: test-chart
test-chart: ## render and check the chart, and install it on a real API server
	$(WITH_KUBERNETES) go -C test/chart test -count=1 -timeout 20m ./...

.PHONY: test-traefik
test-traefik: ## test the real Traefik with machines under load, by Ingress and Gateway API, as root; TRAEFIK=file tests another binary
	$(if $(TRAEFIK),,CGO_ENABLED=0 go -C hack/traefik tool -n traefik)
	$(WITH_KUBERNETES) TRAEFIK=$(abspath $(TRAEFIK)) go -C test/traefik test -count=1 -timeout 15m -v .

.PHONY: test-integration
test-integration: ## run the tests with a real API server
	$(WITH_KUBERNETES) go -C test test -count=1 -p 1 -timeout 20m $(INTEGRATION)

.PHONY: test-faults
test-faults: ## test the controller during faults of everything around it
	$(WITH_KUBERNETES) go -C test test -count=1 -timeout 30m ./faults

.PHONY: e2e
e2e: ## test the chart in a whole cluster on this machine, as root; ARGS=--install installs missing Debian packages, E2E=auto skips it if it cannot run
	hack/e2e/run.sh $(ARGS)

.PHONY: soak
soak: ## run random operations and faults with three instances: make soak DURATION=1h SEED=7
	go -C test build -o ../$(BIN)/soak ./soak
	$(WITH_KUBERNETES) $(BIN)/soak --duration $(or $(DURATION),3m) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: ## measure speed compared to the bare API server: make bench SIZE=full
	go -C test build -o ../$(BIN)/bench ./bench
	$(WITH_KUBERNETES) $(BIN)/bench --size $(or $(SIZE),small) $(ARGS)

.PHONY: bench-document
bench-document: ## run the full benchmark and write docs/performance.md
	go -C test build -o ../$(BIN)/bench ./bench
	$(WITH_KUBERNETES) $(BIN)/bench --size full --json dist/bench.json --chart docs/performance.svg --document docs/performance.md $(ARGS)

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (default 1m)
	hack/fuzz.sh $(or $(FUZZTIME),1m)

.PHONY: image
image: ## build the image for amd64 and arm64 into dist
	hack/image/build.sh

.PHONY: verify
verify: ## check format, words, lint, imports, generated code and documents
	hack/verify.sh

.PHONY: generate
generate: ## generate all code and documents
	hack/update-codegen.sh
	go test ./pkg/metrics ./cmd/... -run Documentation -update
	go -C test/chart test . -short -update

.PHONY: clean
clean: ## remove build results in this tree
	rm -rf .cache
