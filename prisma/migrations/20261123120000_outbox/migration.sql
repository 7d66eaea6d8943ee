-- One row per message; the parts it is cut into are a list inside it, fixed before the first is sent.
ALTER TABLE "Outbox" RENAME TO "OutboxBefore";
DROP INDEX "Outbox_conversationId_idx";

CREATE TABLE "Outbox" (
    -- The order of sending within a chat.
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "id" TEXT NOT NULL UNIQUE,
    "kind" TEXT NOT NULL CHECK ("kind" IN ('text', 'file', 'ask', 'live')),
    "account" TEXT NOT NULL,
    "chat" TEXT NOT NULL,
    "thread" TEXT,
    -- Null: the gateway's own words, in no conversation.
    "conversationId" TEXT REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "turn" INTEGER,
    -- Markdown; the parts are in the platform's dialect.
    "text" TEXT NOT NULL,
    "parts" TEXT,
    "approvalId" TEXT,
    -- Names the message in the data of its buttons.
    "token" TEXT NOT NULL,
    "buttons" TEXT,
    "file" TEXT,
    "replyTo" TEXT,
    "state" TEXT NOT NULL DEFAULT 'new'
        CHECK ("state" IN ('new', 'sending', 'sent', 'ambiguous', 'failed', 'dropped')),
    -- 1: will be edited once more: a live message, a question with buttons.
    "open" INTEGER NOT NULL DEFAULT 0,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "nextTryAt" TEXT,
    "error" TEXT,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);

INSERT INTO "Outbox" ("id", "kind", "account", "chat", "thread", "conversationId", "text", "parts", "token", "state",
    "error", "createdAt", "updatedAt")
SELECT "id", 'text', "to" ->> '$.platform', "to" ->> '$.chat', "to" ->> '$.thread', "conversationId", "text",
    json_array(json_patch(
        json_object('carries', 'text', 'text', "text", 'state', "state", 'startedAt', "updatedAt"),
        json_object('messageId', "platformMessageId"))),
    lower(hex(randomblob(8))), "state", "error", "createdAt", "updatedAt"
FROM "OutboxBefore" ORDER BY "createdAt", rowid;
DROP TABLE "OutboxBefore";

CREATE INDEX "Outbox_conversationId_turn_idx" ON "Outbox" ("conversationId", "turn");
CREATE INDEX "Outbox_lane_idx" ON "Outbox" ("account", "chat", "seq")
    WHERE "state" IN ('new', 'sending') AND "kind" <> 'live';
CREATE INDEX "Outbox_sent_idx" ON "Outbox" ("account", "chat", "seq") WHERE "state" = 'sent';
CREATE INDEX "Outbox_open_idx" ON "Outbox" ("kind", "seq") WHERE "open" = 1;
CREATE INDEX "Outbox_doubt_idx" ON "Outbox" ("account", "seq") WHERE "state" IN ('ambiguous', 'failed');
CREATE INDEX "Outbox_token_idx" ON "Outbox" ("token") WHERE "kind" = 'ask';

-- Bytes that belong to a message alone: spoken answers, files sent without the agent. Gone with the message's end.
CREATE TABLE "OutboxFile" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "outboxId" TEXT NOT NULL REFERENCES "Outbox" ("id") ON DELETE CASCADE,
    "sizeBytes" INTEGER NOT NULL,
    "bytes" BLOB NOT NULL
);
CREATE INDEX "OutboxFile_outboxId_idx" ON "OutboxFile" ("outboxId");
