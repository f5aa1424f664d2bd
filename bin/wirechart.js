#!/usr/bin/env node
import { main } from '../dist/src/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
// The framework leaves nothing behind, so the process ends by itself here. What a user's module left open (a timer, a
// connection to a database) may not keep it alive for ever after its server has drained.
setTimeout(() => process.exit(), 1_000).unref();
