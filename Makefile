# Each target first provides its prerequisites: the pinned Node, the packages of the lock file, the artifacts.
.DEFAULT_GOAL := help
# Delete the output of a failed recipe; otherwise the next run would treat it as complete.
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.toolchain/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# Node trusts the certificates of the system, such as the certificate of a TLS-inspecting proxy.
export NODE_USE_SYSTEM_CA := 1

# Apple's make 3.81 runs a simple command without a shell, and finds it on the PATH that make was started with. A shell
# other than the default prevents this.
ifeq ($(MAKE_VERSION),3.81)
SHELL := /bin/bash
endif

TOOLCHAIN := .toolchain/ready
PACKAGES := node_modules/.package-lock.json
SOURCES := $(shell find src config internal pkg -name '*.ts' ! -name '*.test.ts')
JEST := node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js
# Read NAME from the command line only: some systems set NAME to the host name.
WITHOUT_NAME = $(if $(filter environment,$(origin NAME)),env -u NAME)

.PHONY: help shell watch coverage upgrade resource remove-resource migration run dev migrate seed reset test lint types unit e2e e2e-database e2e-deploy e2e-stability fmt build image audit clean FORCE

##@ Every day

help: ## print this list
	@awk -F ':.*## ' '/^##@ / { group = substr($$0, 5); if (!(group in lines)) names[++count] = group } \
	  /^[a-z][a-z0-9-]*:.*## / { lines[group] = lines[group] sprintf("  make %-15s %s\n", $$1, $$2) } \
	  END { for (i = 1; i <= count; i++) printf "%s%s\n%s", (i > 1 ? "\n" : ""), names[i], lines[names[i]] }' $(MAKEFILE_LIST)

# A folder may define additional targets, which are gone when a service deletes the folder.
include $(wildcard */*.mk scripts/*/*.mk deploy/*/*.mk test/*/*.mk)

run: dist/server.cjs ## build and serve on PORT (8080), with a local PostgreSQL and Redis
	@exec node scripts/run.ts

dev: $(PACKAGES) ## run from the sources: restart on save, readable logs (INSPECT=1 for a debugger)
	@exec node scripts/run.ts --watch

test: lint types unit e2e ## run all checks and tests, with real PostgreSQL and Redis

lint: $(PACKAGES) ## check style, likely mistakes, import direction, unused code, contradictory timeouts and unsafe migrations
	@biome check --error-on-warnings || { echo 'make fmt formats the code and applies the safe fixes.' >&2; exit 1; }
	@knip --no-config-hints
	@node scripts/check-timeouts.ts
	@node scripts/check-migrations.ts

types: $(PACKAGES) ## check the types
	@tsc

# Here and below, run three tests at a time on any number of cores: the tests mostly wait for servers and timers.
unit: $(PACKAGES) ## run the unit tests (T=pkg/health for some of them)
	@$(JEST) $(T) --selectProjects unit --maxWorkers=3

watch: $(PACKAGES) ## run the unit tests of changed files at each save (T=pkg/health)
	@$(JEST) --watch $(T) --selectProjects unit

coverage: $(PACKAGES) ## run the unit tests and write coverage/index.html (T=pkg/health)
	@$(JEST) --coverage $(T) --selectProjects unit --maxWorkers=3

e2e: build ## test the artifacts with real servers (T=test/cli for some of them)
	@$(JEST) $(T) --selectProjects e2e --maxWorkers=3

fmt: $(PACKAGES) ## format the code and apply automatic fixes
	@biome check --write

clean: ## remove builds, downloads and local data, including the local databases
	rm -rf dist coverage node_modules bench/node_modules .toolchain .local

shell: $(PACKAGES) ## open a shell with the pinned Node and the commands of the packages on the PATH
	@exec "$${SHELL:-/bin/sh}"

##@ Make it yours

resource: $(PACKAGES) ## generate a resource with its table and tests: NAME=invoice FIELDS='number:string:unique,total:int' (PLURAL=invoices, PARENT=customer)
	@$(WITHOUT_NAME) node scripts/resource.ts

remove-resource: $(TOOLCHAIN) ## remove a generated resource: NAME=note (PLURAL=notes)
	@$(WITHOUT_NAME) node scripts/resource.ts remove

migration: $(PACKAGES) ## write an empty migration and register it: NAME=invoices-amount
	@$(WITHOUT_NAME) node scripts/migration.ts

migrate: $(PACKAGES) ## apply the migrations of the sources to the local database, or to DATABASE_URL
	@node scripts/database.ts migrate

seed: $(PACKAGES) ## run internal/store/seeds/*.sql on the local database, or on DATABASE_URL
	@node scripts/database.ts seed

reset: $(PACKAGES) ## delete the data of the local database, then migrate and seed it
	@node scripts/database.ts reset

upgrade: $(TOOLCHAIN) ## merge a newer version of the template into this service: TEMPLATE=url (REF=main)
	@node scripts/upgrade.ts

##@ Build and ship

build: dist/server.cjs dist/app $(if $(TARGET),executable-$(TARGET)) ## build dist/server.cjs and dist/app; TARGET=linux-arm64 (…) for another platform

image: ## build the container image with docker, podman or buildah (IMAGE=name:tag)
	@sh scripts/image.sh

audit: $(PACKAGES) ## list known vulnerabilities of the packages in the artifact
	@npm audit --omit=dev

##@ Slow tests and measurements

e2e-database: build ## test the example through PgBouncer, and its writes while servers and connections fail (DURATION_S=120 seconds; default 30)
	@DURATION_S=$(or $(DURATION_S),30) $(JEST) --selectProjects database --passWithNoTests

e2e-deploy: build ## test each deployment with its real tool (T=nginx for a single deployment)
	@$(JEST) --selectProjects deploy --passWithNoTests --maxWorkers=3 $(T)

# Run one test at a time, because the measurements of an experiment need the cores.
e2e-stability: build ## test the experiments, the load tests and the healing (T=chaos for some of them)
	@$(JEST) --selectProjects stability --passWithNoTests --runInBand $(T)

$(TOOLCHAIN): .nvmrc scripts/toolchain/package-lock.json scripts/toolchain/install.sh
	@sh scripts/toolchain/install.sh
	@touch $@

$(PACKAGES): package-lock.json .npmrc | $(TOOLCHAIN)
	@sh scripts/packages.sh
	@touch $@

dist/server.cjs: $(SOURCES) package.json scripts/build.ts scripts/bundle.ts scripts/git.ts scripts/load-later.ts scripts/executable/entry.ts scripts/executable/stack-traces.ts scripts/executable/later.cjs .local/commit $(PACKAGES)
	@node scripts/build.ts bundle

dist/app: dist/server.cjs scripts/executable/main.cjs scripts/executable/code-cache.ts scripts/executable/stub.env
	@node scripts/build.ts executable

executable-%: dist/server.cjs FORCE
	@node scripts/build.ts executable $*

# The artifact contains its commit, so it is out of date when the commit changes.
.local/commit: FORCE
	@mkdir -p .local
	@{ git rev-parse HEAD && git status --porcelain; } 2>/dev/null | cmp -s - $@ || { git rev-parse HEAD && git status --porcelain; } >$@ 2>/dev/null || true
