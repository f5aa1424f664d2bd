/** Types of the attack kit: what they let through, and what they refuse. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { crowd, probeOf } from 'wirechart/testing';
import {
  attackPort,
  attackProtocol,
  attacks,
  type Attack,
  type AttackContext,
  type Attacker,
  type AttackReport,
  type AttackResult,
  type PortReport,
  type Probe,
} from 'wirechart/testing';
import echo from '../../examples/echo/index.js';

describe('the attack kit', () => {
  test('its functions have the types that they say', () => {
    expectTypeOf(attacks).toEqualTypeOf<readonly Attack[]>();
    expectTypeOf<Awaited<ReturnType<typeof attackProtocol>>>().toEqualTypeOf<AttackReport>();
    expectTypeOf<Awaited<ReturnType<typeof attackPort>>>().toEqualTypeOf<PortReport>();
    expectTypeOf<Awaited<ReturnType<typeof probeOf>>>().toEqualTypeOf<Probe>();
    expectTypeOf<AttackReport['attacks']>().toEqualTypeOf<readonly AttackResult[]>();
    expectTypeOf<Attack['run']>().toEqualTypeOf<(context: AttackContext) => void>();
    expectTypeOf<ReturnType<AttackContext['connect']>>().toEqualTypeOf<Attacker | undefined>();
    expectTypeOf<ReturnType<typeof crowd>>().toEqualTypeOf<ReadonlySet<Attacker>>();
  });

  test('options that are missing, unknown or of the wrong type are compile errors, and errors where types are not looked at', async () => {
    // @ts-expect-error a seed is required
    await expect(attackProtocol(echo, {})).rejects.toThrow('attackProtocol.seed');
    // @ts-expect-error a number
    await expect(attackProtocol(echo, { seed: 1, seconds: '40' })).rejects.toThrow('attackProtocol.seconds');
    // @ts-expect-error there is no such option
    await expect(attackPort({ port: 1, protocols: echo })).rejects.toThrow('did you mean protocol?');
    // @ts-expect-error a port is required
    await expect(attackPort({})).rejects.toThrow('attackPort.port');
  });
});
