##@ Slow tests and measurements

e2e-browser: build ## test the pages in Debian's Chromium
	@$(JEST) --selectProjects browser

.PHONY: e2e-browser
