/** Preloaded (`--import`) by processes that must not outlive the one that forked them, whatever ends that: SIGKILL takes no farewell. */
process.on('disconnect', () => process.exit(1));
