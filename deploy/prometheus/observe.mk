.PHONY: observe

##@ Every day

observe: dist/server.cjs ## build and serve like make run, with Prometheus, Alertmanager and a light load
	@exec node scripts/run.ts --beside=deploy/prometheus/observe.ts
