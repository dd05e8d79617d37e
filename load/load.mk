.PHONY: load capacity

##@ Slow tests and measurements

load: dist/server.cjs ## send a scenario through the full link, and name the first saturated resource: SCENARIO=notes (STEPS=100,200; DURATION_S=10; URL=…)
	@SCENARIO=$(SCENARIO) STEPS=$(STEPS) RATE=$(RATE) DURATION_S=$(DURATION_S) URL=$(URL) METRICS=$(METRICS) INSTANCES=$(INSTANCES) node load/main.ts

# make exports the variables of the command line, and no shell sees the < of the SLO.
capacity: dist/server.cjs ## find the knee, and the replicas, pool and memory for a target: TARGET=5000 SLO='p99<250ms' (SCENARIO=notes INSTANCES=1,2,4 ZONES=3 QUICK=1 URL=…)
	@node load/capacity.ts
