/** Imported for its effect: what workers say of themselves stays out of a test's output. Once per process. */
import { DefaultLogger, Runtime } from '@temporalio/worker';

Runtime.install({ logger: new DefaultLogger('ERROR') });
