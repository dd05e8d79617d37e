import { type Generated, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { Position, Stored } from '#pkg/resource/index.ts'

/** Columns of every resource's table. The database fills them in. */
export type StoredTable = { readonly [Name in keyof Stored]: Generated<Stored[Name]> }

export type ById = Pick<Stored, 'id'>
export type NextVersion = Pick<Stored, 'id' | 'version'>

export const STORED = ['id', 'version', 'createdAt', 'updatedAt'] as const

/** Returns the values of `after`. PostgreSQL reads a year before 1 only in the form that pg gives a Date. */
export const positionOf = (cursor: Position | undefined): AfterValues =>
  cursor === undefined ? {} : { createdAt: new Date(cursor.createdAt), id: cursor.id }

export type AfterValues = { readonly createdAt?: Date; readonly id?: string }

/** The rows after a position in a list that is sorted newest first. Without a position, all rows. */
export const after = ({ createdAt, id }: AfterValues): RawBuilder<SqlBool> =>
  createdAt === undefined ? sql`true` : sql`(created_at, id) < (${createdAt}, ${id})`
