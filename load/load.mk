.PHONY: load capacity

##@ Slow tests and measurements

# make exports the variables of its command line, so no shell sees the < of an SLO.
load: dist/server.cjs ## send a scenario through the full link, and name the first saturated resource: SCENARIO=notes (STEPS=100,200; DURATION_S=10; URL=…)
	@node load/main.ts

capacity: dist/server.cjs ## find the knee, and the replicas, pool and memory for a target: TARGET=5000 SLO='p99<250ms' (SCENARIO=notes; INSTANCES=1,2,4; ZONES=3; QUICK=1; URL=…)
	@node load/capacity/main.ts
