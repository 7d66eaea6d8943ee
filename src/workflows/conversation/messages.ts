import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import {
  messageNames,
  type ConfigureRequest,
  type ConversationSnapshot,
  type DecideRequest,
  type DecideResult,
  type InboundEnvelope,
  type InterruptRequest,
  type InterruptResult,
} from '../../contracts/conversation.ts';

export const inboundSignal = defineSignal<[InboundEnvelope]>(messageNames.inbound);
export const interruptUpdate = defineUpdate<InterruptResult, [InterruptRequest]>(messageNames.interrupt);
export const decideUpdate = defineUpdate<DecideResult, [DecideRequest]>(messageNames.decide);
export const configureUpdate = defineUpdate<boolean, [ConfigureRequest]>(messageNames.configure);
export const closeUpdate = defineUpdate<boolean, [{ readonly by: string }]>(messageNames.close);
export const snapshotQuery = defineQuery<ConversationSnapshot>(messageNames.snapshot);
