//! The connection itself, watched: what comes, what is taken, and what hyper says without having been told to.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::refusal::Refusals;
use super::seat::Seat;

/// Most bytes that are taken and thrown away after a refusal. A connection that is closed on a caller who still writes is
/// reset, and the answer is lost with it.
const LEFTOVER_LIMIT: usize = 1024 * 1024;

/// A connection that tells its seat what happens.
pub(super) struct Socket {
    stream: TcpStream,
    seat: Arc<Seat>,
    refusals: Refusals,
    /// What is still to be said in place of hyper's own refusal.
    refusal: Option<Bytes>,
    thrown_away: usize,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, seat: Arc<Seat>, refusals: Refusals) -> Self {
        Self { stream, seat, refusals, refusal: None, thrown_away: 0 }
    }

    fn noted<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Pending => self.seat.blocked(),
            Poll::Ready(_) => self.seat.wrote(),
        }
        written
    }

    /// Says the refusal; answers whether there is one, in which case what hyper wanted to say is dropped.
    fn refuse(&mut self, cx: &mut Context<'_>, instead_of: &[u8]) -> Poll<io::Result<bool>> {
        // An answer of ours is written only after a request: this is hyper's, to what is none.
        if self.refusal.is_none() && self.seat.is_before_a_request() {
            self.refusal = Some(self.refusals.instead_of(instead_of));
        }
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(Ok(false)) };
        while refusal.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, refusal))?;
            refusal.advance(written);
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.seat.heard();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if ready!(self.refuse(cx, bytes))? {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first: &[u8] = parts.iter().find(|part| !part.is_empty()).map_or(&[], |part| part);
        if ready!(self.refuse(cx, first))? {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.seat.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.refusal.is_none() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        while self.thrown_away < LEFTOVER_LIMIT {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.thrown_away += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
