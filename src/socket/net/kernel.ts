/**
 * System calls that Node does not offer, through koffi, an optional dependency: socket options by descriptor, TCP_INFO,
 * and a socket that is not connected yet.
 *
 * Linux alone: the constants below are Linux's, on the processors that share them (MIPS, SPARC and Alpha have others). A wrong
 * constant would set some other option, so anywhere else there is no kernel, and each option is reported as not applied.
 */
import { createRequire } from 'node:module';
import os from 'node:os';

export type KernelOption =
  | 'sendBuffer'
  | 'receiveBuffer'
  | 'maxSegment'
  | 'noDelay'
  | 'keepAlive'
  | 'keepAliveIdle'
  | 'keepAliveInterval'
  | 'keepAliveCount'
  | 'userTimeout'
  | 'ipv6Only'
  | 'reusePort';

export interface Kernel {
  readonly littleEndian: boolean;
  /** @returns `undefined` when it is set, else the name of the error (`EINVAL` ...). */
  setOption(fd: number, option: KernelOption, value: number): string | undefined;
  /** @returns `undefined` when the kernel refuses. */
  getOption(fd: number, option: KernelOption): number | undefined;
  /** `struct tcp_info`, as long as this kernel's. @returns `undefined` when the descriptor is no TCP socket. */
  tcpInfo(fd: number): Uint8Array | undefined;
  /** A TCP socket that does nothing yet. @returns `undefined` when there are no descriptors left. */
  openTcp(family: 'IPv4' | 'IPv6'): number | undefined;
  close(fd: number): void;
}

const ARCHITECTURES = ['x64', 'ia32', 'arm', 'arm64', 'riscv64', 'loong64', 'ppc64', 's390x'];

// include/uapi: asm-generic/socket.h, linux/tcp.h, linux/in6.h, linux/net.h
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const TCP_INFO = 11;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

const OPTIONS: Record<KernelOption, readonly [level: number, name: number]> = {
  sendBuffer: [SOL_SOCKET, 7],
  receiveBuffer: [SOL_SOCKET, 8],
  keepAlive: [SOL_SOCKET, 9],
  reusePort: [SOL_SOCKET, 15],
  noDelay: [IPPROTO_TCP, 1],
  maxSegment: [IPPROTO_TCP, 2],
  keepAliveIdle: [IPPROTO_TCP, 4],
  keepAliveInterval: [IPPROTO_TCP, 5],
  keepAliveCount: [IPPROTO_TCP, 6],
  userTimeout: [IPPROTO_TCP, 18],
  ipv6Only: [IPPROTO_IPV6, 26],
};

/** Longer than any `tcp_info` so far (about 250 bytes in Linux 6). */
const TCP_INFO_BYTES = 512;

let loaded: { readonly kernel: Kernel | undefined } | undefined;

/** Loads it once. @returns `undefined` when this is no Linux that we know, or koffi is not installed. */
export function loadKernel(): Kernel | undefined {
  loaded ??= { kernel: tryLoading() };
  return loaded.kernel;
}

type Call = (...args: unknown[]) => number;

interface Koffi {
  load(path: string | null): { func(prototype: string): Call };
  errno(): number;
}

function tryLoading(): Kernel | undefined {
  if (process.platform !== 'linux' || !ARCHITECTURES.includes(process.arch)) return undefined;
  try {
    return kernelOf(createRequire(import.meta.url)('koffi') as Koffi);
  } catch {
    // Not installed, no binary for this system, or no C library to be found: all mean that there is no such kernel.
    return undefined;
  }
}

function kernelOf(koffi: Koffi): Kernel {
  const c = koffi.load(null); // the process itself: works with glibc and musl
  const setsockopt = c.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');
  const getsockopt = c.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
  const socket = c.func('int socket(int domain, int type, int protocol)');
  const close = c.func('int close(int fd)');

  /** Typed arrays have the byte order of the processor, as the kernel's numbers do. */
  const value = new Int32Array(1);
  const length = new Uint32Array(1);

  return {
    littleEndian: os.endianness() === 'LE',
    setOption(fd, option, number) {
      value[0] = number;
      const [level, name] = OPTIONS[option];
      return setsockopt(fd, level, name, value, 4) === 0 ? undefined : errorName(koffi.errno());
    },
    getOption(fd, option) {
      length[0] = 4;
      const [level, name] = OPTIONS[option];
      return getsockopt(fd, level, name, value, length) === 0 ? value[0] : undefined;
    },
    tcpInfo(fd) {
      const bytes = new Uint8Array(TCP_INFO_BYTES);
      length[0] = TCP_INFO_BYTES;
      return getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, length) === 0 ? bytes.subarray(0, length[0]) : undefined;
    },
    openTcp(family) {
      const fd = socket(family === 'IPv4' ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      return fd >= 0 ? fd : undefined;
    },
    close(fd) {
      close(fd);
    },
  };
}

function errorName(errno: number): string {
  return Object.entries(os.constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
