import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import {
  environmentMessageNames,
  type AcquireRequest,
  type AcquireResult,
  type ChangeRequest,
  type EnvironmentSnapshot,
  type ReleaseRequest,
} from '../../contracts/environment.ts';

export const acquireUpdate = defineUpdate<AcquireResult, [AcquireRequest]>(environmentMessageNames.acquire);
export const releaseSignal = defineSignal<[ReleaseRequest]>(environmentMessageNames.release);
export const changeUpdate = defineUpdate<EnvironmentSnapshot, [ChangeRequest]>(environmentMessageNames.change);
export const snapshotQuery = defineQuery<EnvironmentSnapshot>(environmentMessageNames.snapshot);
