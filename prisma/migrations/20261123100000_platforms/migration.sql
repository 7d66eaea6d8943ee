-- What chat platforms have delivered. `seq` is the order of arrival; `event` is emptied when it is no longer needed.
CREATE TABLE "PlatformEvent" (
    "seq" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "account" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    -- Chat and thread: what is processed one after the other.
    "lane" TEXT NOT NULL,
    "sender" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    -- received, taken (its turn is fixed), joined (part of the turn of `joinedTo`), done, ignored, failed
    "state" TEXT NOT NULL DEFAULT 'received',
    "joinedTo" INTEGER,
    -- Fixed when it is taken.
    "conversationId" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT,
    "receivedAt" TEXT NOT NULL,
    "endedAt" TEXT
);
CREATE INDEX "PlatformEvent_open_idx" ON "PlatformEvent" ("lane", "seq") WHERE "state" IN ('received', 'taken');
CREATE INDEX "PlatformEvent_joinedTo_idx" ON "PlatformEvent" ("joinedTo") WHERE "joinedTo" IS NOT NULL;
CREATE INDEX "PlatformEvent_endedAt_idx" ON "PlatformEvent" ("endedAt") WHERE "endedAt" IS NOT NULL;

-- Every name under which an event was delivered. Outlives the event, so that a late repeat is still known.
CREATE TABLE "PlatformEventKey" (
    "account" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    PRIMARY KEY ("account", "key")
) WITHOUT ROWID;
CREATE INDEX "PlatformEventKey_at_idx" ON "PlatformEventKey" ("at");

-- Cursors, sessions, auth state, home chat: small durable values of an account.
CREATE TABLE "PlatformValue" (
    "account" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    PRIMARY KEY ("account", "name")
);

-- Who may talk to the agent, on which account.
CREATE TABLE "PlatformUser" (
    "account" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "personId" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    -- What lets them in: owner, allow (both lists of the configuration), pairing.
    "via" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "directChat" TEXT,
    "since" TEXT NOT NULL,
    PRIMARY KEY ("account", "userId")
);
CREATE INDEX "PlatformUser_personId_idx" ON "PlatformUser" ("personId");

-- Strangers who have been given a pairing code.
CREATE TABLE "Pairing" (
    "account" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "chat" TEXT NOT NULL,
    "codeHash" TEXT NOT NULL,
    "requestedAt" TEXT NOT NULL,
    "expiresAt" TEXT NOT NULL,
    PRIMARY KEY ("account", "userId")
);

-- Which conversation a chat goes on with, where that is not the person's current one.
CREATE TABLE "ChatConversation" (
    "chat" TEXT NOT NULL PRIMARY KEY,
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE
);
CREATE INDEX "ChatConversation_conversationId_idx" ON "ChatConversation" ("conversationId");
