import type { HttpBindings } from '@hono/node-server';
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { mostSendBytes } from '../../contracts/send-limit.ts';
import { Refusal } from '../refusal.ts';
import { approvalRoutes } from './approval-routes.ts';
import { conversationRoutes } from './conversation-routes.ts';
import type { ApiContext } from './deps.ts';
import { answerError, refusalOf, tell } from './errors.ts';
import { environmentRoutes } from './environment-routes.ts';
import { exportRoutes } from './export-routes.ts';
import { bodyGuard, hostGuard, tokenGuard } from './guard.ts';
import { messageRoutes } from './message-routes.ts';
import { platformRoutes, sendPath, webhookRoute } from './platform-routes.ts';
import { systemRoutes } from './system-routes.ts';
import { turnRoutes } from './turn-routes.ts';
import { openAiErrorOf } from './v1/openai-errors.ts';
import { v1Routes } from './v1/routes.ts';

/** Room for the longest message, every character of it escaped. */
const defaultMaxBodyBytes = 8 * 1024 * 1024;

/** Files come in base64 within the body, beside the text. */
const maxSendBytes = Math.ceil((mostSendBytes * 4) / 3) + 4 * 1024 * 1024;

/** All routes behind their guards; everything thrown below becomes an answer here. */
export function createApp(context: ApiContext, token: string): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw refusalOf(result.error, result.target);
    },
  });
  app.onError((error, c) => answerThrown(context, c, error));
  app.notFound((c) =>
    answerThrown(context, c, new Refusal('Api.NotFound', `There is no ${c.req.method} ${c.req.path}.`)),
  );
  // Platforms call under any name, without our token, and sign what they send.
  webhookRoute(app, context);
  app.use(hostGuard(context.allowedHosts));
  for (const path of ['/api/*', '/v1/*', '/internal/*']) app.use(path, tokenGuard(token));
  app.use(sendPath, bodyGuard(maxSendBytes));
  const guard = bodyGuard(context.maxBodyBytes ?? defaultMaxBodyBytes);
  app.use((c, next) => (c.req.path === sendPath ? next() : guard(c, next)));

  messageRoutes(app, context);
  conversationRoutes(app, context);
  turnRoutes(app, context);
  exportRoutes(app, context);
  approvalRoutes(app, context);
  environmentRoutes(app, context);
  platformRoutes(app, context);
  systemRoutes(app, context);
  v1Routes(app, context);
  describe(app, context);
  return app;
}

function describe(app: OpenAPIHono, context: ApiContext): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.get('/api/openapi.json', (c) =>
    c.json(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: { title: 'Hermes', version: context.version },
        servers: [{ url: new URL(c.req.url).origin }],
      }),
    ),
  );
}

function answerThrown(context: ApiContext, c: Context, error: unknown): Response {
  const told = tell(error);
  const request = { method: c.req.method, path: c.req.path, status: told.status, code: told.code };
  // A client that hung up mid-request is nobody's failure.
  if ((c.env as Partial<HttpBindings>).incoming?.destroyed === true) context.log.debug(request, 'the client went away');
  else if (told.status >= 500) context.log.error({ ...request, err: error }, 'a request failed');
  else context.log.debug({ ...request, err: error }, 'a request was refused');
  return c.req.path.startsWith('/v1/') ? openAiErrorOf(c, told) : answerError(c, told);
}
