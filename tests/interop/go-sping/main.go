// Secure ping in Go, written from the wire format alone: the foreign peer of `troth ping` and `troth pong` in the
// interop tests, and what `make bench` compares with.
//
//	go-sping serve [flags]         prints "listens on 127.0.0.1:PORT", runs until it is stopped
//	go-sping echo [flags] ADDRESS  prints a line a pong; exit code 1 when one fails
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"troth/tests/interop/go-sping/echo"
)

type options struct {
	mode, certificate, privateKey, trustBundle string
}

func (o *options) add(flags *flag.FlagSet) {
	flags.StringVar(&o.mode, "mode", "mutual", "insecure, tls or mutual")
	flags.StringVar(&o.certificate, "certificate", "", "PEM `file`")
	flags.StringVar(&o.privateKey, "private-key", "", "PEM `file`")
	flags.StringVar(&o.trustBundle, "trust-bundle", "", "PEM `file`")
}

func (o *options) keyPair() ([]tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(o.certificate, o.privateKey)
	return []tls.Certificate{pair}, err
}

func (o *options) pool() (*x509.CertPool, error) {
	text, err := os.ReadFile(o.trustBundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: no certificate", o.trustBundle)
	}
	return pool, nil
}

func (o *options) serverCredentials() (credentials.TransportCredentials, error) {
	if o.mode == "insecure" {
		return insecure.NewCredentials(), nil
	}
	var config tls.Config
	var err error
	if config.Certificates, err = o.keyPair(); err != nil {
		return nil, err
	}
	if o.mode == "mutual" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs, err = o.pool(); err != nil {
			return nil, err
		}
	}
	return credentials.NewTLS(&config), nil
}

func (o *options) clientCredentials(serverName string) (credentials.TransportCredentials, error) {
	if o.mode == "insecure" {
		return insecure.NewCredentials(), nil
	}
	config := tls.Config{ServerName: serverName}
	var err error
	if config.RootCAs, err = o.pool(); err != nil {
		return nil, err
	}
	if o.mode == "mutual" {
		if config.Certificates, err = o.keyPair(); err != nil {
			return nil, err
		}
	}
	return credentials.NewTLS(&config), nil
}

// The server's counters, one a sender.
type pingServer struct {
	echo.UnimplementedSecurePingServer
	mutex  sync.Mutex
	counts map[string]int64
}

func (s *pingServer) Echo(_ context.Context, ping *echo.Ping) (*echo.Pong, error) {
	s.mutex.Lock()
	count := s.counts[ping.Sender] + 1
	if ping.Sseq == 1 {
		count = 1
	}
	s.counts[ping.Sender] = count
	s.mutex.Unlock()
	return &echo.Pong{Success: ping.Sseq == count, Sseq: ping.Sseq, Rseq: count, Sent: ping.Sent}, nil
}

func serve(arguments []string) error {
	var o options
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	o.add(flags)
	listen := flags.String("listen", "127.0.0.1:3264", "`address` and port; port 0 takes a free one")
	flags.Parse(arguments)

	creds, err := o.serverCredentials()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.Creds(creds))
	echo.RegisterSecurePingServer(server, &pingServer{counts: make(map[string]int64)})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Printf("listens on %s\n", listener.Addr())
	return server.Serve(listener)
}

func ping(arguments []string) error {
	var o options
	flags := flag.NewFlagSet("echo", flag.ExitOnError)
	o.add(flags)
	name := flags.String("n", "go-sping", "`name` of this sender")
	limit := flags.Int64("l", 8, "how many pings")
	delay := flags.Duration("d", 100*time.Millisecond, "between two pings")
	serverName := flags.String("server-name", "localhost", "whom to expect")
	flags.Parse(arguments)
	if flags.NArg() != 1 {
		return fmt.Errorf("echo: expected one ADDRESS:PORT, got %d arguments", flags.NArg())
	}

	creds, err := o.clientCredentials(*serverName)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient("passthrough:///"+flags.Arg(0), grpc.WithTransportCredentials(creds))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := echo.NewSecurePingClient(connection)
	for sseq := int64(1); sseq <= *limit; sseq++ {
		if sseq > 1 {
			time.Sleep(*delay)
		}
		now := time.Now()
		sent := &echo.Time{Seconds: now.Unix(), Nanoseconds: int64(now.Nanosecond())}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		pong, err := client.Echo(ctx, &echo.Ping{Sender: *name, Sseq: sseq, Sent: sent, Ttl: *limit})
		cancel()
		if err != nil {
			return err
		}
		fmt.Printf("sseq=%d rseq=%d success=%t\n", pong.Sseq, pong.Rseq, pong.Success)
		if !pong.Success || pong.Sseq != sseq || pong.Rseq != sseq ||
			pong.Sent.GetSeconds() != sent.Seconds || pong.Sent.GetNanoseconds() != sent.Nanoseconds {
			return fmt.Errorf("a wrong pong to ping %d: %v", sseq, pong)
		}
	}
	return nil
}

func main() {
	err := fmt.Errorf("usage: go-sping serve|echo [flags]")
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			err = serve(os.Args[2:])
		case "echo":
			err = ping(os.Args[2:])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-sping:", err)
		os.Exit(1)
	}
}
