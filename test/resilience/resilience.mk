##@ Slow tests and measurements

resilience: dist/server.cjs ## compare the service under faults and overload with a naive implementation; QUICK=1 takes five minutes (ONLY=slow)
	@QUICK=$(QUICK) ONLY=$(ONLY) node test/resilience/main.ts

.PHONY: resilience
