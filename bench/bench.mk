##@ Slow tests and measurements

BENCH_PACKAGES := bench/node_modules/.package-lock.json

bench: build $(BENCH_PACKAGES) ## compare the performance with other frameworks and check the budgets; QUICK=1 takes two minutes
	@node bench/main.ts

$(BENCH_PACKAGES): bench/package-lock.json .npmrc | $(TOOLCHAIN)
	@cd bench && npm ci --loglevel=error
	@touch $@

.PHONY: bench
