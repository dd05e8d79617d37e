##@ Slow tests and measurements

test-release: build ## run the slow tests: a fresh clone, the image, other platforms
	@$(JEST) --selectProjects release

.PHONY: test-release
