.PHONY: chaos

##@ Slow tests and measurements

chaos: build ## run the experiments of chaos/ and measure the healing, and write chaos/report.md; QUICK=1 shortens both (ONLY=redis-gone, ONLY=healing, ONLY=frozen; REPEAT=20)
	@status=0; export QUICK=$(QUICK) ONLY=$(ONLY) REPEAT=$(REPEAT); \
	  node chaos/main.ts || status=$$?; node chaos/healing/main.ts || status=$$?; exit $$status
