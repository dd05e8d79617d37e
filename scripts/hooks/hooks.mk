##@ Every day

.PHONY: hooks
hooks: ## check style and types of the staged files before each commit (undo: git config --unset core.hooksPath)
	@git config core.hooksPath scripts/hooks
