##@ Slow tests and measurements

test-release: build ## run the slow tests: a fresh clone, the image, other platforms
	@$(JEST) --selectProjects release

screenshot: build ## write the image of the README
	@WRITE=1 $(JEST) test/release/screenshot --selectProjects release

.PHONY: test-release screenshot
