CREATE TABLE "Person" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "currentConversationId" TEXT REFERENCES "Conversation" ("id") ON DELETE SET NULL
);

CREATE TABLE "Conversation" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT,
    "title" TEXT NOT NULL,
    "personId" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "busyMode" TEXT,
    "model" TEXT,
    "instructions" TEXT,
    "lastTurn" INTEGER NOT NULL DEFAULT 0,
    "messageCount" INTEGER NOT NULL DEFAULT 0,
    "windowFromTurn" INTEGER NOT NULL DEFAULT 0,
    "inputTokens" INTEGER NOT NULL DEFAULT 0,
    "outputTokens" INTEGER NOT NULL DEFAULT 0,
    "costUsd" REAL NOT NULL DEFAULT 0,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);
CREATE UNIQUE INDEX "Conversation_personId_name_key" ON "Conversation" ("personId", "name");
CREATE INDEX "Conversation_personId_updatedAt_id_idx" ON "Conversation" ("personId", "updatedAt", "id");
CREATE INDEX "Conversation_personId_title_idx" ON "Conversation" ("personId", "title");

CREATE TABLE "Inbound" (
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "id" TEXT NOT NULL,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "personId" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "busyMode" TEXT,
    "replyTo" TEXT,
    "state" TEXT NOT NULL DEFAULT 'received' CHECK ("state" IN ('received', 'signalled', 'taken')),
    "turn" INTEGER,
    "receivedAt" TEXT NOT NULL,
    "signalledAt" TEXT
);
CREATE UNIQUE INDEX "Inbound_id_key" ON "Inbound" ("id");
CREATE INDEX "Inbound_conversationId_state_idx" ON "Inbound" ("conversationId", "state");
-- What the relay asks every few seconds; the rows that are done with are not in it.
CREATE INDEX "Inbound_open_idx" ON "Inbound" ("state", "seq") WHERE "state" <> 'taken';

CREATE TABLE "Message" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "personId" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    "step" INTEGER NOT NULL,
    "slot" INTEGER NOT NULL,
    "role" TEXT NOT NULL CHECK ("role" IN ('user', 'assistant', 'tool', 'notice')),
    "text" TEXT NOT NULL,
    "reasoning" TEXT,
    "toolCalls" TEXT,
    "toolCallId" TEXT,
    "toolName" TEXT,
    "toolStatus" TEXT,
    "inboundId" TEXT,
    "speaker" TEXT NOT NULL,
    "hidden" INTEGER NOT NULL DEFAULT 0,
    "createdAt" TEXT NOT NULL,
    -- What the search index holds beside the text: whose it is (one word that stemming leaves alone) ...
    "searchScope" TEXT GENERATED ALWAYS AS ('p' || hex("personId") || 'z') VIRTUAL,
    -- ... and speaker and date as words: `anna 2026-03-14 March Saturday`.
    "searchLabel" TEXT GENERATED ALWAYS AS (
        "speaker" || ' ' || substr("createdAt", 1, 10)
        || ' ' || CASE substr("createdAt", 6, 2)
            WHEN '01' THEN 'January' WHEN '02' THEN 'February' WHEN '03' THEN 'March' WHEN '04' THEN 'April'
            WHEN '05' THEN 'May' WHEN '06' THEN 'June' WHEN '07' THEN 'July' WHEN '08' THEN 'August'
            WHEN '09' THEN 'September' WHEN '10' THEN 'October' WHEN '11' THEN 'November' ELSE 'December' END
        || ' ' || CASE strftime('%w', "createdAt")
            WHEN '0' THEN 'Sunday' WHEN '1' THEN 'Monday' WHEN '2' THEN 'Tuesday' WHEN '3' THEN 'Wednesday'
            WHEN '4' THEN 'Thursday' WHEN '5' THEN 'Friday' ELSE 'Saturday' END
    ) VIRTUAL
);
CREATE UNIQUE INDEX "Message_conversationId_turn_step_slot_key" ON "Message" ("conversationId", "turn", "step", "slot");
-- The neighbours of a found message: what was said around it, without the tools between.
CREATE INDEX "Message_said_idx" ON "Message" ("conversationId", "turn", "step", "slot")
    WHERE "role" IN ('user', 'assistant') AND "hidden" = 0 AND "text" <> '';

CREATE TABLE "Turn" (
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "turn" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'running' CHECK ("state" IN ('running', 'done', 'failed', 'interrupted', 'undone')),
    "inboundIds" TEXT NOT NULL DEFAULT '[]',
    "steps" INTEGER NOT NULL DEFAULT 0,
    "inputTokens" INTEGER NOT NULL DEFAULT 0,
    "outputTokens" INTEGER NOT NULL DEFAULT 0,
    "costUsd" REAL NOT NULL DEFAULT 0,
    "model" TEXT,
    "answer" TEXT,
    "errorCode" TEXT,
    "startedAt" TEXT NOT NULL,
    "endedAt" TEXT,
    PRIMARY KEY ("conversationId", "turn")
);
CREATE INDEX "Turn_running_idx" ON "Turn" ("startedAt") WHERE "state" = 'running';

CREATE TABLE "Step" (
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "turn" INTEGER NOT NULL,
    "step" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "provider" TEXT,
    "outcome" TEXT,
    "startedAt" TEXT NOT NULL,
    "answeredAt" TEXT,
    PRIMARY KEY ("conversationId", "turn", "step")
);

CREATE TABLE "ToolCall" (
    "callKey" TEXT NOT NULL PRIMARY KEY,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "turn" INTEGER NOT NULL,
    "step" INTEGER NOT NULL,
    "index" INTEGER NOT NULL,
    "toolCallId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "argumentsText" TEXT NOT NULL,
    "summary" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "timeoutMs" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'planned' CHECK ("state" IN ('planned', 'started', 'done')),
    "status" TEXT,
    "preview" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "durationMs" INTEGER,
    "startedAt" TEXT,
    "endedAt" TEXT
);
CREATE INDEX "ToolCall_conversationId_turn_step_index_idx" ON "ToolCall" ("conversationId", "turn", "step", "index");
CREATE INDEX "ToolCall_uncertain_idx" ON "ToolCall" ("endedAt") WHERE "status" = 'uncertain';

CREATE TABLE "Approval" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL CHECK ("kind" IN ('approval', 'question', 'budget')),
    "title" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "choices" TEXT NOT NULL,
    "tool" TEXT,
    "ruleKey" TEXT,
    "callKey" TEXT,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "personId" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'waiting' CHECK ("state" IN ('waiting', 'approved', 'denied', 'answered', 'closed')),
    "scope" TEXT,
    "answer" TEXT,
    "relayed" INTEGER NOT NULL DEFAULT 0,
    "askedAt" TEXT NOT NULL,
    "decidedAt" TEXT,
    "decidedBy" TEXT
);
CREATE INDEX "Approval_conversationId_turn_idx" ON "Approval" ("conversationId", "turn");
CREATE INDEX "Approval_waiting_idx" ON "Approval" ("askedAt") WHERE "state" = 'waiting';
CREATE INDEX "Approval_unrelayed_idx" ON "Approval" ("decidedAt")
    WHERE "relayed" = 0 AND "state" IN ('approved', 'denied', 'answered');

CREATE TABLE "AllowRule" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "personId" TEXT NOT NULL,
    "tool" TEXT NOT NULL,
    "ruleKey" TEXT NOT NULL,
    "conversationId" TEXT REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "createdAt" TEXT NOT NULL
);
-- Two nulls would count as different.
CREATE UNIQUE INDEX "AllowRule_what_key" ON "AllowRule" ("personId", "tool", "ruleKey", ifnull("conversationId", ''));
CREATE INDEX "AllowRule_conversationId_idx" ON "AllowRule" ("conversationId");

CREATE TABLE "Usage" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "personId" TEXT NOT NULL,
    "conversationId" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    "step" INTEGER NOT NULL,
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "inputTokens" INTEGER NOT NULL,
    "outputTokens" INTEGER NOT NULL,
    "cachedInputTokens" INTEGER NOT NULL,
    "costUsd" REAL NOT NULL,
    "at" TEXT NOT NULL
);
CREATE INDEX "Usage_personId_at_costUsd_idx" ON "Usage" ("personId", "at", "costUsd");
CREATE INDEX "Usage_at_idx" ON "Usage" ("at");

CREATE TABLE "Outbox" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "to" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'new' CHECK ("state" IN ('new', 'sending', 'sent', 'ambiguous', 'failed')),
    "platformMessageId" TEXT,
    "error" TEXT,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);
CREATE INDEX "Outbox_conversationId_idx" ON "Outbox" ("conversationId");

CREATE TABLE "Idempotency" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "requestHash" TEXT NOT NULL,
    "inboundId" TEXT NOT NULL,
    "conversationId" TEXT NOT NULL,
    "createdAt" TEXT NOT NULL
);

CREATE TABLE "Blob" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "mediaType" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "createdAt" TEXT NOT NULL,
    "bytes" BLOB NOT NULL
);
CREATE INDEX "Blob_conversationId_idx" ON "Blob" ("conversationId");

CREATE TABLE "TodoList" (
    "conversationId" TEXT NOT NULL PRIMARY KEY REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "items" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);

CREATE TABLE "Memory" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "key" TEXT NOT NULL,
    "personId" TEXT NOT NULL,
    "text" TEXT NOT NULL,
    "conversationId" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL,
    "removedAt" TEXT
);
CREATE UNIQUE INDEX "Memory_key_key" ON "Memory" ("key");
CREATE INDEX "Memory_personId_createdAt_idx" ON "Memory" ("personId", "createdAt");

-- Search over what was said. The index stores no text of its own; it reads the columns of the same names in "Message".
CREATE VIRTUAL TABLE "MessageSearch" USING fts5 (
    "searchScope", "searchLabel", "text",
    content = 'Message', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);

-- Scope tells persons apart and says nothing about relevance.
INSERT INTO "MessageSearch" ("MessageSearch", rank) VALUES ('rank', 'bm25(0.0, 1.0, 1.0)');

CREATE TRIGGER "Message_said" AFTER INSERT ON "Message"
WHEN NEW."role" IN ('user', 'assistant') AND NEW."hidden" = 0 AND NEW."text" <> ''
BEGIN
    INSERT INTO "MessageSearch" (rowid, "searchScope", "searchLabel", "text")
    VALUES (NEW."id", NEW."searchScope", NEW."searchLabel", NEW."text");
END;

CREATE TRIGGER "Message_removed" AFTER DELETE ON "Message"
WHEN OLD."role" IN ('user', 'assistant') AND OLD."hidden" = 0 AND OLD."text" <> ''
BEGIN
    INSERT INTO "MessageSearch" ("MessageSearch", rowid, "searchScope", "searchLabel", "text")
    VALUES ('delete', OLD."id", OLD."searchScope", OLD."searchLabel", OLD."text");
END;

CREATE TRIGGER "Message_unsaid" AFTER UPDATE OF "hidden", "text" ON "Message"
WHEN OLD."role" IN ('user', 'assistant') AND OLD."hidden" = 0 AND OLD."text" <> ''
BEGIN
    INSERT INTO "MessageSearch" ("MessageSearch", rowid, "searchScope", "searchLabel", "text")
    VALUES ('delete', OLD."id", OLD."searchScope", OLD."searchLabel", OLD."text");
END;

CREATE TRIGGER "Message_said_again" AFTER UPDATE OF "hidden", "text" ON "Message"
WHEN NEW."role" IN ('user', 'assistant') AND NEW."hidden" = 0 AND NEW."text" <> ''
BEGIN
    INSERT INTO "MessageSearch" (rowid, "searchScope", "searchLabel", "text")
    VALUES (NEW."id", NEW."searchScope", NEW."searchLabel", NEW."text");
END;
