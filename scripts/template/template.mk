##@ Make it yours

# Read NAME from the command line only: some systems set NAME to the host name.
init: $(TOOLCHAIN) ## turn the template into your service: NAME=orders (EXAMPLE=no DEPLOY=kubernetes,systemd WITH=none LICENSE=MIT OWNER='Example Ltd' HISTORY=keep)
	@$(if $(filter environment,$(origin NAME)),env -u NAME) node scripts/init.ts

.PHONY: init
