package main

import (
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
)

func main() {
	router := gin.New()
	if os.Getenv("GIN") == "default" {
		router = gin.Default()
	}
	router.GET("/ping", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"message": "pong"})
	})
	router.Run(os.Getenv("HOST") + ":" + os.Getenv("PORT"))
}
