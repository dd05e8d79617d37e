/* Entry point of the bundle. The order matters: stack traces of the modules of main.ts already show TypeScript. */
import './stack-traces.ts'
import '../../src/main.ts'
