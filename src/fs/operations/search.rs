//! `.search`: a name in it is a query, and the directory of a query lists the messages that it
//! finds, as the root lists all of them.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::fs::error::Error;
use crate::fs::nodes::{self, FixedDirectory};
use crate::fs::operations::attributes::message_attributes;
use crate::fs::operations::directory::{DirectoryContents, find_folder, find_in};
use crate::fs::operations::filesystem::Filesystem;
use crate::fs::operations::readdir::{DirectoryEntry, LISTING_WAIT, OpenedDirectory};
use crate::fs::operations::remove::{check_kind, removal_error, remover};
use crate::fs::operations::stat::{Attributes, FileKind};
use crate::fs::reply::deferred::KernelReply;
use crate::fs::search::{QueryId, SearchResult, Searches};
use crate::fs::views::{ListingNeeds, ViewId};
use crate::maildrop::{Fault, Waiter};
use crate::store::StoreError;

impl Filesystem {
    pub(super) fn searches(&self) -> Result<&Arc<Searches>, Error> {
        self.searches.as_ref().ok_or(Error::NotFound)
    }

    /// A query in `.search`. What cannot be understood is not there.
    pub(super) fn lookup_query(&self, name: &str) -> Result<Attributes, Error> {
        let query = self.searches()?.enter(name).map_err(|error| {
            log::debug!("no search '{name}': {error}");
            Error::NotFound
        })?;
        Ok(self.directory_attributes(nodes::search_inode(query, FixedDirectory::Root)))
    }

    /// A name in the directory of a query, or in one of a view there.
    pub(super) fn lookup_found(
        &self,
        query: QueryId,
        directory: FixedDirectory,
        name: &str,
        reply: KernelReply<Attributes>,
    ) {
        if let Some(found) = self.directory_in_search(directory, name) {
            let found = found.map(|directory| nodes::search_inode(query, directory));
            return reply.send(found.map(|inode| self.directory_attributes(inode)));
        }
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        let (eol, contents) = (self.appearance.eol, self.contents(directory));
        let name = name.to_owned();
        self.with_result(query, reply, move |result| {
            let id = find_in(&maildrop, contents, &name)?;
            let message = maildrop.message(id);
            if !result.contains(message.inode) {
                return Err(Error::NotFound);
            }
            maildrop.pass_by(id);
            Ok(message_attributes(&cache, eol, contents, &message))
        });
    }

    /// None where messages are in the directory.
    fn directory_in_search(
        &self,
        directory: FixedDirectory,
        name: &str,
    ) -> Option<Result<FixedDirectory, Error>> {
        if directory == FixedDirectory::Root
            && let Some(view) = ViewId::by_directory(name)
        {
            return Some(Ok(FixedDirectory::View(view)));
        }
        match self.contents(directory) {
            DirectoryContents::Folders(view) => {
                Some(find_folder(view, name).and_then(FixedDirectory::at))
            }
            _ => None,
        }
    }

    /// Waits a little for a new listing, and for what the index answers.
    pub(super) fn open_search(
        &self,
        query: QueryId,
        directory: FixedDirectory,
        opened: OpenedDirectory,
        reply: KernelReply<OpenedDirectory>,
    ) {
        let searches = match self.searches() {
            Ok(searches) if searches.is_known(query) => Arc::clone(searches),
            _ => return reply.send(Err(Error::Stale)),
        };
        let worker = searches.worker.clone();
        let limit = self.silence_limit();
        let asked = reply.defer_to(
            &worker,
            &self.watchdog,
            limit,
            move |titled: Result<(), Fault>| {
                titled?;
                searches.result(query);
                Ok(opened)
            },
        );
        let maildrop = Arc::clone(&self.maildrop);
        let needs = self.contents(directory).needs();
        let listed = Waiter::new(
            || true,
            move |_new_listing_or_not| match needs {
                ListingNeeds::Titles => maildrop.want_titles(asked),
                ListingNeeds::Names => asked.answer(Ok(())),
            },
        );
        self.maildrop.want_fresh_listing(LISTING_WAIT, listed);
    }

    /// What the directory of a query lists since it was opened.
    pub(super) fn list_search(
        &self,
        query: QueryId,
        directory: FixedDirectory,
        cookie: u64,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let contents = self.contents(directory);
        if let DirectoryContents::Folders(view) = contents {
            for (name, inode) in nodes::folders_of(view) {
                let inside = nodes::search_inode(query, FixedDirectory::at(inode)?);
                let entry = DirectoryEntry {
                    name,
                    attributes: self.directory_attributes(inside),
                    cookie: inode,
                };
                if inode > cookie && add(&entry).is_break() {
                    break;
                }
            }
            return Ok(());
        }
        let searches = self.searches()?;
        let last = searches.last_result(query);
        let result = last.unwrap_or_else(|| searches.result(query));
        self.list_messages(contents, cookie, |inode| result.contains(inode), add);
        Ok(())
    }

    /// The searches that are pinned.
    pub(super) fn list_pinned(
        &self,
        cookie: u64,
        mut add: impl FnMut(&DirectoryEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        for (name, query) in self.searches()?.pinned() {
            let inode = nodes::search_inode(query, FixedDirectory::Root);
            let entry = DirectoryEntry {
                name: &name,
                attributes: self.directory_attributes(inode),
                cookie: inode,
            };
            if inode > cookie && add(&entry).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Removes a message by its name in the directory of a query.
    pub(super) fn remove_found(
        &self,
        query: QueryId,
        directory: FixedDirectory,
        name: &str,
        kind: FileKind,
        reply: KernelReply<()>,
    ) {
        if self.directory_in_search(directory, name).is_some() {
            return reply.send(Err(self.write_refusal()));
        }
        let (maildrop, cache) = (Arc::clone(&self.maildrop), Arc::clone(&self.view_cache));
        let (eol, contents) = (self.appearance.eol, self.contents(directory));
        let (readings, thread) = (Arc::clone(&self.readings), reply.caller());
        let name = name.to_owned();
        self.with_result(query, reply, move |result| {
            let id = find_in(&maildrop, contents, &name)?;
            let message = maildrop.message(id);
            if !result.contains(message.inode) {
                return Err(Error::NotFound);
            }
            check_kind(
                message_attributes(&cache, eol, contents, &message).kind,
                kind,
            )?;
            let remover = remover(&readings, &cache, contents, &message, thread);
            maildrop.unlink_shown(id, remover).map_err(removal_error)?;
            cache.restore(message.inode);
            Ok(())
        });
    }

    /// Pins the search, as `touch .search/QUERY` asks. (mkdir(2) never asks: a query is there
    /// before.)
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for anything but the directory of a query.
    pub fn touch(&self, inode: u64) -> Result<Attributes, Error> {
        let query = nodes::query_at(inode).ok_or_else(|| self.write_refusal())?;
        self.searches()?
            .pin(query)
            .map_err(|error| cache_error(&error))?;
        Ok(self.directory_attributes(inode))
    }

    /// Takes a search out of the listing of `.search`.
    pub(super) fn unpin(&self, name: &str, kind: FileKind) -> Result<(), Error> {
        check_kind(FileKind::Directory, kind)?;
        match self
            .searches()?
            .unpin(name)
            .map_err(|error| cache_error(&error))?
        {
            true => Ok(()),
            false => Err(Error::NotFound),
        }
    }

    /// Answers with what is made of the result of a search.
    fn with_result<T: Send + 'static>(
        &self,
        query: QueryId,
        reply: KernelReply<T>,
        then: impl FnOnce(&SearchResult) -> Result<T, Error> + Send + 'static,
    ) {
        let searches = match self.searches() {
            Ok(searches) if searches.is_known(query) => Arc::clone(searches),
            _ => return reply.send(Err(Error::Stale)),
        };
        if let Some(result) = searches.fresh_result(query) {
            return reply.send(then(&result));
        }
        let (worker, limit) = (searches.worker.clone(), self.silence_limit());
        let waiter = reply.defer_to(
            &worker,
            &self.watchdog,
            limit,
            move |_nothing_fails: Result<(), Fault>| then(&searches.result(query)),
        );
        waiter.answer(Ok(()));
    }
}

fn cache_error(error: &StoreError) -> Error {
    log::warn!("{error}");
    Error::Cache
}
