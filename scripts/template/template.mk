# Only from the command line: some systems set NAME to the name of the machine.
init: $(TOOLCHAIN) ## turn the template into your service: NAME=orders (EXAMPLE=no DEPLOY=kubernetes,systemd HISTORY=reset)
	@$(if $(filter environment,$(origin NAME)),env -u NAME) node scripts/init.ts

.PHONY: init
