.PHONY: load

##@ Slow tests and measurements

# make exports the variables of its command line.
load: dist/server.cjs ## send a scenario through the full link, and name the first saturated resource: SCENARIO=notes (STEPS=100,200; DURATION_S=10; URL=…)
	@node load/main.ts
