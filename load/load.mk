.PHONY: load

##@ Slow tests and measurements

load: dist/server.cjs ## send a scenario through the full link, and name the first saturated resource: SCENARIO=notes (STEPS=100,200; DURATION_S=10; URL=…)
	@SCENARIO=$(SCENARIO) STEPS=$(STEPS) RATE=$(RATE) DURATION_S=$(DURATION_S) URL=$(URL) METRICS=$(METRICS) INSTANCES=$(INSTANCES) node load/main.ts
