export { conversation } from './conversation/workflow.ts';
export { environment } from './environment/workflow.ts';
