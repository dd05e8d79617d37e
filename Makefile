# Every target gets what it needs: the pinned Node, the packages of the lock file, the artifacts.
.DEFAULT_GOAL := help
# What failed half-way is not there, or the next run would take it for done.
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.toolchain/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# Node trusts the certificates of the system, such as a company's for its TLS-inspecting proxy.
export NODE_USE_SYSTEM_CA := 1

TOOLCHAIN := .toolchain/ready
PACKAGES := node_modules/.package-lock.json
BENCH_PACKAGES := bench/node_modules/.package-lock.json
SOURCES := $(shell find src config internal pkg -name '*.ts' ! -name '*.test.ts')
JEST := node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js

.PHONY: help upgrade resource remove-resource run dev test test-release lint types unit e2e e2e-browser e2e-restart e2e-deploy fmt build image bench audit clean FORCE

help: ## print this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do printf '  make %-15s %s\n' "$$target" "$$text"; done

# A folder of scripts/ may bring targets of its own.
include $(wildcard scripts/*/*.mk)

upgrade: $(TOOLCHAIN) ## bring what came from the template up to a newer one: TEMPLATE=url (REF=main)
	@node scripts/upgrade.ts

# NAME only from the command line: some systems set it to the name of the machine.
resource: $(PACKAGES) ## write a resource, with its table and tests: NAME=invoice FIELDS=number:string:unique,total:int (PLURAL=invoices)
	@$(if $(filter environment,$(origin NAME)),env -u NAME) node scripts/resource.ts

remove-resource: $(TOOLCHAIN) ## undo make resource: NAME=note (PLURAL=notes)
	@$(if $(filter environment,$(origin NAME)),env -u NAME) node scripts/resource.ts remove

run: dist/server.cjs ## build and serve on PORT (8080), with a local PostgreSQL and Redis
	@exec node scripts/run.ts

dev: $(PACKAGES) ## the same from the sources: restart on save, readable logs
	@exec node scripts/run.ts --watch

test: lint types unit e2e ## everything that can be wrong, on real PostgreSQL and Redis

test-release: build ## what takes longer: a fresh clone, the image built and run, other platforms
	@$(JEST) --selectProjects release

lint: $(PACKAGES) ## style, likely mistakes, the direction of imports, what nothing uses, timeouts that contradict each other
	@biome check --error-on-warnings
	@knip --no-config-hints
	@node scripts/check-timeouts.ts

types: $(PACKAGES) ## what the compiler can tell
	@tsc

unit: $(PACKAGES) ## tests beside the code
	@$(JEST) --selectProjects unit

# Two at a time, whatever the cores: they mostly wait for servers.
e2e: build ## tests of the artifacts and of real servers
	@$(JEST) --selectProjects e2e --maxWorkers=2

e2e-browser: build ## the pages, in Debian's Chromium
	@$(JEST) --selectProjects browser

# Three at a time, though there may be fewer cores: they mostly wait.
e2e-restart: build ## restarts under load, without a way of deployment
	@$(JEST) --selectProjects restart --maxWorkers=3

# Three at a time, whatever the number of cores: the tests mostly wait for servers.
e2e-deploy: build ## each way of deployment with its real tool (T=nginx for one of them)
	@$(JEST) --selectProjects deploy --passWithNoTests --maxWorkers=3 $(T)

fmt: $(PACKAGES) ## format the code and mend what can be mended
	@biome check --write

build: dist/server.cjs dist/app $(if $(TARGET),executable-$(TARGET)) ## dist/server.cjs and dist/app; TARGET=linux-arm64 (…) for another platform

image: ## the container image, with docker, podman or buildah (IMAGE=name:tag)
	@sh scripts/image.sh

bench: build $(BENCH_PACKAGES) ## what it costs beside its peers, and the budgets that must hold; QUICK=1 in two minutes
	@node bench/main.ts

audit: $(PACKAGES) ## known vulnerabilities of what ends up in the artifact
	@npm audit --omit=dev

clean: ## remove what was built, fetched and stored here, the local databases too
	rm -rf dist node_modules bench/node_modules .toolchain .local

$(TOOLCHAIN): .nvmrc scripts/toolchain/package-lock.json scripts/toolchain/install.sh
	@sh scripts/toolchain/install.sh
	@touch $@

$(PACKAGES): package-lock.json .npmrc | $(TOOLCHAIN)
	@npm ci --include=dev --include=optional --loglevel=error
	@touch $@

$(BENCH_PACKAGES): bench/package-lock.json .npmrc | $(TOOLCHAIN)
	@cd bench && npm ci --loglevel=error
	@touch $@

dist/server.cjs: $(SOURCES) package.json scripts/build.ts scripts/bundle.ts scripts/load-later.ts scripts/executable/later.cjs .local/commit $(PACKAGES)
	@node scripts/build.ts bundle

dist/app: dist/server.cjs scripts/executable/main.cjs scripts/executable/code-cache.ts scripts/executable/stub.env
	@node scripts/build.ts executable

executable-%: dist/server.cjs FORCE
	@node scripts/build.ts executable $*

# The artifact names its commit, so another commit makes it out of date, and the same one does not.
.local/commit: FORCE
	@mkdir -p .local
	@{ git rev-parse HEAD && git status --porcelain; } 2>/dev/null | cmp -s - $@ || { git rev-parse HEAD && git status --porcelain; } >$@ 2>/dev/null || true
