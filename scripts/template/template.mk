##@ Make it yours

init: $(TOOLCHAIN) ## turn the template into your service: NAME=orders (EXAMPLE=no DEPLOY=kubernetes,systemd WITH=none LICENSE=MIT OWNER='Example Ltd' HISTORY=keep)
	@$(WITHOUT_NAME) node scripts/init.ts

.PHONY: init
