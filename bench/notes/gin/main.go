// Gin with pgx's pool, with the access log of the service.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type note struct {
	ID        string    `json:"id" uri:"id" binding:"omitempty,uuid"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Title     string    `json:"title"`
	Text      string    `json:"text"`
}

func (n *note) targets() []any {
	return []any{&n.ID, &n.Version, &n.CreatedAt, &n.UpdatedAt, &n.Title, &n.Text}
}

const columns = "id::text, version, created_at, updated_at, title, text"

// accessLog writes the line that the service writes for each request. Lines are buffered for up to 100 ms.
func accessLog() gin.HandlerFunc {
	var mutex sync.Mutex
	writer := bufio.NewWriterSize(os.Stdout, 16*1024)
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			mutex.Lock()
			writer.Flush()
			mutex.Unlock()
		}
	}()
	return func(c *gin.Context) {
		startedAt := time.Now()
		id := c.GetHeader("x-request-id")
		if id == "" {
			id = rand.Text()
		}
		c.Header("x-request-id", id)
		c.Next()
		line, _ := json.Marshal(map[string]any{
			"log.level": "info", "@timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "ecs.version": "8.17.0",
			"service.name": "my-service", "service.version": "0.1.0", "process.pid": os.Getpid(),
			"http.request.id": id, "http.request.method": c.Request.Method, "url.path": c.Request.URL.Path,
			"http.response.status_code": c.Writer.Status(), "http.response.body.bytes": c.Writer.Size(),
			"event.duration": time.Since(startedAt).Nanoseconds(),
			"client.address": c.ClientIP(), "client.ip": c.ClientIP(), "message": "request",
		})
		mutex.Lock()
		writer.Write(append(line, '\n'))
		mutex.Unlock()
	}
}

func send(c *gin.Context, status int, n note, err error) {
	switch {
	case errors.Is(err, pgx.ErrNoRows) && c.Request.Method == http.MethodPatch:
		c.Status(http.StatusPreconditionFailed)
	case errors.Is(err, pgx.ErrNoRows):
		c.Status(http.StatusNotFound)
	case err != nil:
		c.AbortWithError(http.StatusInternalServerError, err)
	default:
		c.Header("etag", fmt.Sprintf(`"%d"`, n.Version))
		c.JSON(status, n)
	}
}

func addNotes(router *gin.Engine, pool *pgxpool.Pool) {
	router.GET("/v1/notes/:id", func(c *gin.Context) {
		var n note
		if err := c.ShouldBindUri(&n); err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		row := pool.QueryRow(c, "select "+columns+" from notes where id = $1", n.ID)
		send(c, http.StatusOK, n, row.Scan(n.targets()...))
	})
	router.GET("/v1/notes", func(c *gin.Context) {
		limit, err := strconv.Atoi(c.DefaultQuery("limit", "20"))
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		rows, err := pool.Query(c, "select "+columns+" from notes order by created_at desc, id desc limit $1", limit+1)
		items := make([]note, 0, limit+1)
		for err == nil && rows.Next() {
			var n note
			err = rows.Scan(n.targets()...)
			items = append(items, n)
		}
		if err != nil || rows.Err() != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		var next *string
		if len(items) > limit {
			items = items[:limit]
			last := items[limit-1]
			cursor := base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt.Format(time.RFC3339Nano) + " " + last.ID))
			next = &cursor
		}
		c.JSON(http.StatusOK, gin.H{"items": items, "next": next})
	})
	router.POST("/v1/notes", func(c *gin.Context) {
		var body struct {
			Title string `json:"title" binding:"required,max=200"`
			Text  string `json:"text" binding:"max=10000"`
		}
		if err := c.ShouldBindJSON(&body); err != nil {
			c.Status(http.StatusUnprocessableEntity)
			return
		}
		var n note
		row := pool.QueryRow(c, "insert into notes (title, text) values ($1, $2) returning "+columns, body.Title, body.Text)
		send(c, http.StatusCreated, n, row.Scan(n.targets()...))
	})
	router.PATCH("/v1/notes/:id", func(c *gin.Context) {
		var n note
		var body struct {
			Text string `json:"text" binding:"max=10000"`
		}
		version, err := strconv.Atoi(strings.Trim(c.GetHeader("if-match"), `"`))
		if err != nil || c.ShouldBindUri(&n) != nil || c.ShouldBindJSON(&body) != nil {
			c.Status(http.StatusUnprocessableEntity)
			return
		}
		row := pool.QueryRow(c, "update notes set text = $1, version = version + 1 where id = $2 and version = $3 returning "+columns,
			body.Text, n.ID, version)
		send(c, http.StatusOK, n, row.Scan(n.targets()...))
	})
}

func main() {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	config.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		panic(err)
	}
	router := gin.New()
	router.Use(accessLog())
	addNotes(router, pool)
	router.GET("/ping", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"message": "pong"})
	})
	router.Run(os.Getenv("HOST") + ":" + os.Getenv("PORT"))
}
