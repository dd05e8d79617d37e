##@ Slow tests and measurements

# Run three tests at a time, even on fewer cores: the tests mostly wait.
e2e-restart: build ## test restarts under load, without a deployment tool
	@$(JEST) --selectProjects restart --maxWorkers=3

.PHONY: e2e-restart
