import { describeSocketLayer } from './describe-socket-layer.js';
import { netUnderTest } from './net-under-test.js';

describeSocketLayer('net', () => netUnderTest());
describeSocketLayer('net without koffi', () => netUnderTest({ kernel: undefined }));
