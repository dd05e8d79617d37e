.PHONY: observe

observe: dist/server.cjs ## serve as make run does, beside Prometheus, Alertmanager and a little load
	@exec node scripts/run.ts --beside=deploy/prometheus/observe.ts
