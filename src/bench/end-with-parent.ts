/**
 * Loaded by a server that a measurement starts, ahead of it: it ends when its standard input does, which is when that
 * process is gone, however it went. Nobody else would stop it.
 */
process.stdin.once("end", () => process.kill(process.pid, "SIGKILL")).resume();
process.stdin.unref();
