##@ Slow tests and measurements

# Run one test at a time: the registries need memory, and the scenarios need both cores.
e2e-discovery: build ## test real registries with the bridge and a proxy (T=nacos for one; ROUNDS=20 restarts, default 6; OUTAGE_S=60 seconds, default 15)
	@ROUNDS=$(or $(ROUNDS),6) OUTAGE_S=$(or $(OUTAGE_S),15) $(JEST) --selectProjects discovery --passWithNoTests --runInBand $(T)

.PHONY: e2e-discovery
