-- Single-use codes that join accounts of one person. A used one stays until it expires, for a repeat of the same command.
CREATE TABLE "LinkCode" (
    "codeHash" TEXT NOT NULL PRIMARY KEY,
    "account" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "personId" TEXT NOT NULL,
    "role" TEXT NOT NULL CHECK ("role" IN ('admin', 'user')),
    "expiresAt" TEXT NOT NULL,
    -- The command that used it.
    "usedBy" TEXT
);
CREATE INDEX "LinkCode_account_userId_expiresAt_idx" ON "LinkCode" ("account", "userId", "expiresAt");
CREATE INDEX "LinkCode_expiresAt_idx" ON "LinkCode" ("expiresAt");

-- Wrong codes somebody has typed.
CREATE TABLE "LinkTry" (
    "account" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "wrong" INTEGER NOT NULL DEFAULT 0,
    -- The command that was counted last, so that its repeat does not count.
    "lastKey" TEXT NOT NULL,
    "lockedUntil" TEXT,
    PRIMARY KEY ("account", "userId")
);

-- An account that was joined to another person, and what it was before.
CREATE TABLE "PersonLink" (
    "account" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "personId" TEXT NOT NULL,
    "formerPersonId" TEXT NOT NULL,
    "formerRole" TEXT NOT NULL CHECK ("formerRole" IN ('admin', 'user')),
    "linkedAt" TEXT NOT NULL,
    -- The command that ended it; null while it holds.
    "endedBy" TEXT,
    PRIMARY KEY ("account", "userId")
);

-- A turn whose answer goes to another chat than the one it was asked in. Settled when the answer has been taken care of.
CREATE TABLE "Handoff" (
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "turn" INTEGER NOT NULL,
    "to" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'open' CHECK ("state" IN ('open', 'settled')),
    "createdAt" TEXT NOT NULL,
    PRIMARY KEY ("conversationId", "turn")
);
CREATE INDEX "Handoff_open_idx" ON "Handoff" ("createdAt") WHERE "state" = 'open';

-- Conversations whose answers are spoken.
CREATE TABLE "SpokenConversation" (
    "conversationId" TEXT NOT NULL PRIMARY KEY REFERENCES "Conversation" ("id") ON DELETE CASCADE
);
