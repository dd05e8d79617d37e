.PHONY: chaos

##@ Slow tests and measurements

chaos: dist/server.cjs ## run the experiments of chaos/ against a local fleet and write chaos/report.md; QUICK=1 shortens them (ONLY=redis-gone)
	@QUICK=$(QUICK) ONLY=$(ONLY) node chaos/main.ts
